"""``m3dbench run --control`` as a user runs it: what moves, what does not, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests_support import contents

import m3dbench as library

Command = Callable[..., subprocess.CompletedProcess[str]]
ASKED = {
    "blind": "vqa_closed,rec",
    "oracle": "vqa_closed,rec",
    "threshold": "seg_semantic",
    "nearest": "vqa_closed,rec",
}


@pytest.fixture(scope="module")
def runs(m3dbench: Command, phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plain run and the blank control of each baseline, in the default places."""
    place = tmp_path_factory.mktemp("controls")
    for model, tasks in ASKED.items():
        for control in ([], ["--control", "blank"]):
            m3dbench("run", "--model", model, "--task", tasks, "--data", phantom, *control, cwd=place)
    return place


def drops(run: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(task, scoring, metric) -> drop."""
    tasks = json.loads((run / "summary.json").read_text())["tasks"]
    return {
        (task, drop["scoring"], drop["metric"]): drop
        for task, summary in tasks.items()
        for drop in summary["control"]["drops"]
    }


@pytest.mark.parametrize("model", ["blind", "oracle"])
def test_what_does_not_look_does_not_move(runs: Path, model: str) -> None:
    found = drops(runs / "runs" / f"{model}-phantom-blank")
    assert {task for task, _, _ in found} == {"vqa_closed", "rec"}
    for key, drop in found.items():
        assert drop["drop"] in (0.0, None), key
        assert drop["plain"] == drop["control"], key
    assert found["vqa_closed", "corrected", "accuracy"]["drop"] == 0.0


@pytest.mark.parametrize(
    ("model", "task", "metric"),
    [("threshold", "seg_semantic", "dice"), ("nearest", "vqa_closed", "accuracy"), ("nearest", "rec", "iou")],
)
def test_what_looks_falls(runs: Path, model: str, task: str, metric: str) -> None:
    drop = drops(runs / "runs" / f"{model}-phantom-blank")[task, "corrected", metric]
    assert drop["drop"] > 0
    assert drop["drop"] == pytest.approx(drop["plain"] - drop["control"])
    assert drop["n_cases"] >= 10
    if (model, task) != ("nearest", "rec"):  # twelve cases do not settle that one
        assert drop["interval"]["low"] > 0


def test_a_drop_rests_on_the_two_runs_values(runs: Path) -> None:
    plain, control = (library.load_run(runs / "runs" / f"threshold-phantom{end}") for end in ("", "-blank"))
    for (task, scoring, metric), drop in drops(control.path).items():
        for run, field in ((plain, "plain"), (control, "control")):
            metrics = run.summary["tasks"][task]["metrics"]
            micro = next(item["micro"] for item in metrics if (item["scoring"], item["metric"]) == (scoring, metric))
            assert drop[field] == pytest.approx(micro["value"])


def test_a_control_is_marked_and_never_comparable(runs: Path) -> None:
    summary = json.loads((runs / "runs" / "nearest-phantom-blank" / "summary.json").read_text())["tasks"]["rec"]
    assert summary["control"]["name"] == "blank"
    assert summary["control"]["against"] == "runs/nearest-phantom"
    entries = [
        json.loads((runs / "runs" / f"nearest-phantom{end}" / "run.json").read_text())["tasks"]["rec"]
        for end in ("", "-blank")
    ]
    plain, control = (entry["facts"]["comparable"] for entry in entries)
    assert entries[1]["control"] == "blank"
    assert plain != control
    assert {field for field in plain if plain[field] != control[field]} == {"control"}


def test_the_table_says_what_it_shows_and_a_repeated_control_changes_nothing(
    runs: Path, m3dbench: Command, phantom: Path
) -> None:
    before = contents(runs / "runs" / "nearest-phantom-blank")
    arguments = ["--model", "nearest", "--task", "vqa_closed,rec", "--data", phantom, "--control", "blank"]
    told = m3dbench("run", *arguments, cwd=runs).stdout
    assert "control: blank" in told
    assert "accuracy falls under the control" in told
    assert "never ranked" in told
    assert contents(runs / "runs" / "nearest-phantom-blank") == before


@pytest.mark.parametrize("control", [[], ["--control", "swap"]])
def test_a_resume_across_controls_is_refused_and_the_field_named(
    runs: Path, m3dbench: Command, phantom: Path, control: list[str]
) -> None:
    out = runs / "runs" / "blind-phantom-blank"
    before = contents(out)
    arguments = ["--model", "blind", "--task", "rec", "--data", phantom, "--out", out]
    done = m3dbench("run", *arguments, *control, code=2)
    assert "field: control" in done.stderr
    assert contents(out) == before


def test_without_a_plain_run_the_control_stands_and_says_how_to_make_one(
    m3dbench: Command, phantom: Path, tmp_path: Path
) -> None:
    arguments = ["run", "--model", "blind", "--task", "vqa_closed", "--data", phantom, "--control", "swap"]
    done = m3dbench(*arguments, cwd=tmp_path)
    assert "no plain run" in done.stderr
    assert "without --control" in done.stderr
    assert "control: swap" in done.stdout
    assert drops(tmp_path / "runs" / "blind-phantom-swap") == {}
    m3dbench(*arguments[:-2], "--seed", "1", cwd=tmp_path)
    assert "differs in more than the control: seed" in m3dbench(*arguments, cwd=tmp_path).stderr


def test_permuted_choices_move_letters_and_not_texts(runs: Path, m3dbench: Command, phantom: Path) -> None:
    arguments = ["--model", "oracle", "--task", "all", "--data", phantom, "--control", "permute-choices"]
    done = m3dbench("run", *arguments, cwd=runs)
    assert "offers no choices" not in done.stderr
    found = drops(runs / "runs" / "oracle-phantom-permute-choices")
    assert {task for task, _, _ in found} == {"vqa_closed"}
    assert found["vqa_closed", "corrected", "accuracy"]["control"] == 1.0
    assert found["vqa_closed", "corrected", "accuracy"]["drop"] == 0.0


def test_a_plain_run_on_other_data_is_no_comparison(
    runs: Path, m3dbench: Command, phantom: Path, tmp_path: Path
) -> None:
    data = tmp_path / "other"
    shutil.copytree(phantom, data)
    table = data / "M3D-VQA" / "M3D_VQA_test.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("Which contrast", "What contrast"), encoding="utf-8")
    arguments = ["--model", "blind", "--task", "vqa_closed", "--data", data, "--control", "blank"]
    against = runs / "runs" / "blind-phantom"
    done = m3dbench("run", *arguments, "--out", tmp_path / "r", "--against", against, code=2)
    assert "more than the control: the samples" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--against", "nowhere"], 2, "--against needs a --control"),
        (["--control", "blank", "--against", "nowhere"], 2, "there is no run here"),
        (["--control", "swap", "--against", "runs/blind-phantom-blank"], 2, "is itself a control (blank)"),
        (["--control", "swap", "--against", "runs/oracle-phantom"], 2, "more than the control: model"),
        (["--control", "permute-choices"], 3, "offers no choices"),
    ],
)
def test_a_wrong_call_says_how_to_mend_it(
    runs: Path, m3dbench: Command, phantom: Path, tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    common = ["--model", "blind", "--task", "rec", "--data", phantom, "--out", tmp_path / "r"]
    assert told in m3dbench("run", *common, *arguments, code=code, cwd=runs).stderr
