"""``m3dbench run`` as a user runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests_support import contents

import m3dbench as library

Command = Callable[..., subprocess.CompletedProcess[str]]
TASKS = ["rec", "reg", "report_generation", "retrieval", "seg_referring", "seg_semantic", "vqa_closed", "vqa_open"]


@pytest.fixture(scope="module")
def oracle(m3dbench: Command, phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "oracle"
    done = m3dbench("run", "--model", "oracle", "--data", phantom, "--out", out)
    assert "Closed VQA" in done.stdout
    assert "phantom" in done.stdout
    assert "Q-REC-4" in done.stdout
    return out


def test_the_run_folder_reads_back_as_tables(oracle: Path) -> None:
    run = library.load_run(oracle)
    assert run.tasks == [*TASKS]
    samples, predictions, scores = (frame("vqa_closed") for frame in (run.samples, run.predictions, run.scores))
    assert set(samples.id) == set(predictions.id) == set(scores.id)
    assert (predictions.status == "ok").all()
    assert set(scores.scoring) == {"corrected", "upstream"}
    values = run.values()
    headline = values[(values.task == "vqa_closed") & (values.metric == "accuracy") & (values.dimension == "")]
    assert (headline.value == 1).all()
    sample = run.predictions("seg_semantic").dropna(subset=["mask"]).id.iloc[0]
    mask = run.mask("seg_semantic", sample)
    assert mask is not None
    assert mask.any()


def test_oracle_reaches_every_corrected_ceiling(oracle: Path) -> None:
    run = library.load_run(oracle)
    for task, summary in run.summary["tasks"].items():
        for metric in summary["metrics"]:
            if metric["scoring"] != "corrected" or metric["micro"]["value"] is None:
                continue
            best = 0.0 if metric["direction"] == "lower" and "rank" not in metric["metric"] else 1.0
            if metric["metric"] != "meteor":  # its fragmentation penalty keeps it below 1: Q-TXT-3
                assert metric["micro"]["value"] == pytest.approx(best), f"{task} {metric['metric']}"
            if metric["macro"] and metric["metric"] != "meteor":
                assert metric["macro"]["value"] == pytest.approx(best), f"{task} macro {metric['metric']}"


def test_oracle_reaches_the_ceilings_of_m3d_refseg(m3dbench: Command, phantom: Path, tmp_path: Path) -> None:
    chosen = ["--task", "rec,reg,seg_referring", "--datasets", "M3D-RefSeg"]
    m3dbench("run", "--model", "oracle", *chosen, "--data", phantom, "--out", tmp_path / "r")
    run = library.load_run(tmp_path / "r")
    values = run.values()
    overall = values[(values.scoring == "corrected") & (values.dimension == "")].set_index(["task", "metric"])
    for task, metric in (("rec", "iou"), ("reg", "bleu4"), ("reg", "rougeL"), ("seg_referring", "dice")):
        assert overall.loc[(task, metric), "value"] == pytest.approx(1)
        assert overall.loc[(task, metric), "n_planned"] == len(run.samples(task))
    assert overall.loc[("reg", "name_exact"), "n_planned"] == 0, "the data set names no classes"
    for task in run.tasks:
        assert set(run.samples(task).dataset) == {"M3D-RefSeg"}
        assert set(run.samples(task).asked_by) == {"description", "reasoning"}


def test_ambiguous_definitions_are_left_out_of_corrected_and_counted(
    m3dbench: Command, phantom: Path, tmp_path: Path
) -> None:
    done = m3dbench("run", "--model", "blind", "--task", "seg_referring", "--data", phantom, "--out", tmp_path / "r")
    run = library.load_run(tmp_path / "r")
    samples = run.samples()
    ambiguous = samples[samples.definition == "ambiguous"]
    assert len(ambiguous)
    assert set(ambiguous["class"]) <= {"kidney left", "kidney right"}
    assert set(samples.dataset) == {"0003", "0011", "0012", "M3D-RefSeg"}
    reason = "the definition fits two classes"
    assert run.summary["tasks"]["seg_referring"]["excluded"] == {reason: len(ambiguous)}
    assert f"Excluded from corrected scoring: {len(ambiguous)}: {reason}" in done.stdout
    scores = run.scores().merge(ambiguous[["id"]], on="id")
    assert set(scores[scores.scoring == "corrected"].status) == {"not_applicable"}
    assert set(scores[scores.scoring == "upstream"].status) == {"scored"}
    dice = run.values().query("scoring == 'corrected' and metric == 'dice' and dimension == 'asked_by'")
    assert dice.set_index("stratum").value["definition"] > 0.2, "classes are known by descriptions of the train split"


def test_rec_and_reg_stay_with_the_published_sub_dataset(oracle: Path) -> None:
    run = library.load_run(oracle)
    for task in ("rec", "reg"):
        assert set(run.samples(task).dataset) == {"0003"}


def test_each_upstream_ceiling_below_one_is_explained_by_quirks(oracle: Path) -> None:
    scores = library.load_run(oracle).scores()
    below = scores[(scores.scoring == "upstream") & (scores.value < 1 - 1e-6) & (scores.metric != "meteor")]
    assert len(below)
    assert below.quirk.notna().all(), below[below.quirk.isna()]
    assert set(below.quirk) <= {"Q-REC-2", "Q-REC-3", "Q-REC-4", "Q-SEG-2", "Q-DATA-2"}


def test_every_summary_says_what_it_rests_on(oracle: Path) -> None:
    summary = json.loads((oracle / "summary.json").read_text())["tasks"]["seg_semantic"]
    assert summary["data"] == "phantom"
    for metric in summary["metrics"]:
        micro = metric["micro"]
        assert micro["n_planned"] == micro["n_scored"] + micro["n_failed"] + micro["n_unscored"]
        assert micro["n_planned"] + micro["n_not_applicable"] == summary["samples"]
        assert metric["signature"]
    facts = json.loads((oracle / "run.json").read_text())["tasks"]["seg_semantic"]["facts"]
    assert set(facts) == {"resume", "comparable", "recorded"}
    assert facts["comparable"]["scoring"]["corrected"]["dice"]


def test_running_again_changes_nothing(oracle: Path, m3dbench: Command, phantom: Path) -> None:
    before = contents(oracle)
    m3dbench("run", "--model", "oracle", "--data", phantom, "--out", oracle)
    assert contents(oracle) == before


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        (["--seed", "1"], "seed"),
        (["--limit", "3"], "limit"),
        (["--model", "random"], "model"),
        (["--batch-size", "2"], "batch_size"),
    ],
)
def test_a_resume_across_a_difference_is_refused_and_the_field_named(
    oracle: Path, m3dbench: Command, phantom: Path, changed: list[str], field: str
) -> None:
    before = contents(oracle)
    done = m3dbench("run", "--model", "oracle", "--task", "rec", "--data", phantom, "--out", oracle, *changed, code=2)
    assert f"field: {field}" in done.stderr
    assert contents(oracle) == before


def broken_data(phantom: Path, tmp_path: Path) -> Path:
    """A copy of the phantom in which seven volumes are broken, each in its own way."""
    data = tmp_path / "broken"
    shutil.copytree(phantom, data)
    items = json.loads((data / "M3D_Cap_npy" / "M3D_Cap.json").read_text())["test"]
    volumes = sorted({item["image"] for item in items})[:7]
    paths = [data / name for name in volumes]
    good = np.load(paths[0])
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:1000])
    np.save(paths[2], np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(paths[3], good[0, 0])
    np.save(paths[4], np.where(good > 0.5, np.nan, good))
    np.save(paths[5], np.full_like(good, 0.25))
    paths[6].write_bytes(b"")
    return data


def test_a_broken_volume_is_an_error_with_its_reason(m3dbench: Command, phantom: Path, tmp_path: Path) -> None:
    data = broken_data(phantom, tmp_path)
    out = tmp_path / "run"
    arguments = ["run", "--model", "brightest-axis", "--task", "report_generation", "--data", data, "--out", out]
    done = m3dbench(*arguments, code=1)
    assert "7 of" in done.stderr
    predictions = library.load_run(out).predictions()
    errors = predictions[predictions.status == "error"]
    assert len(errors) == 7
    reasons = " | ".join(errors.reason)
    for what in ("missing", "truncated", "pickle", "shape", "NaN", "constant", "empty"):
        assert what in reasons
    summary = library.load_run(out).summary["tasks"]["report_generation"]["metrics"][0]["micro"]
    assert summary["n_failed"] == 7
    assert summary["n_planned"] == len(predictions)
    m3dbench(*arguments, "--max-errors", "7")
    m3dbench(*arguments, "--max-errors", "0.9")
    first = json.loads((data / "M3D_Cap_npy" / "M3D_Cap.json").read_text())["test"]
    missing = sorted({item["image"] for item in first})[0]
    shutil.copy(phantom / missing, data / missing)
    m3dbench(*arguments, "--retry-errors", code=1)
    assert (library.load_run(out).predictions().status == "error").sum() == 6


def test_fail_fast_stops_at_the_first_error(m3dbench: Command, phantom: Path, tmp_path: Path) -> None:
    data = broken_data(phantom, tmp_path)
    out = tmp_path / "run"
    arguments = ["--task", "report_generation", "--data", data, "--out", out, "--fail-fast"]
    done = m3dbench("run", "--model", "brightest-axis", *arguments, code=2)
    assert "stopped at the first error" in done.stderr
    assert len((out / "report_generation" / "predictions.jsonl").read_text().splitlines()) < 7


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "treshold"], "did you mean threshold"),
        (["--model", "threshold", "--task", "vqa_closed"], "it declares: rec, seg_referring, seg_semantic"),
        (["--model", "blind", "--task", "nope"], "m3dbench list tasks"),
        (["--model", "blind", "--test-set", "test9k"], "choose one of"),
        (["--model", "blind", "--task", "rec", "--datasets", "0003,0099"], "no sub-dataset '0099'"),
        (["--model", "blind", "-o", "colour=red"], "masks_per_class"),
        (["--model", "replay"], "needs the option 'file'"),
        (["--model", "blind", "--metric", "bleu9"], "bleu"),
        (["--model", "blind", "--data", "/nowhere"], "does not exist"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_how_to_mend_it(
    m3dbench: Command, phantom: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    data = [] if "--data" in arguments else ["--data", phantom]
    done = m3dbench("run", *arguments, *data, "--out", tmp_path / "r", code=2)
    assert told in done.stderr


def test_an_empty_test_set_ends_with_3(m3dbench: Command, phantom: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(phantom / "M3D_Cap_npy", data / "M3D_Cap_npy")
    (data / "M3D_Cap_npy" / "M3D_Cap.json").write_text(json.dumps({"train": [], "test": []}))
    m3dbench("run", "--model", "random", "--task", "report_generation", "--data", data, "--out", tmp_path / "r", code=3)
    m3dbench("run", "--model", "random", "--task", "rec", "--data", data, "--out", tmp_path / "r2", code=3)


def test_a_folder_that_holds_other_things_is_left_alone(m3dbench: Command, phantom: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    m3dbench("run", "--model", "blind", "--data", phantom, "--out", tmp_path, code=2)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
