"""The audit finds what the phantom has planted, all of it and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from m3dbench.data.audit import texts, volumes
from m3dbench.data.audit.audit import Audit, audit
from m3dbench.data.audit.cases import Case, part_of
from m3dbench.data.audit.priors import definitions, letters, pools
from m3dbench.runs.engine import open_data

Command = Callable[..., subprocess.CompletedProcess[str]]


def leaks_of(found: Audit) -> list[dict[str, str]]:
    return [{name: row.get(name, "") for name in ("kind", "test", "train")} for row in found.to_json()["leaks"]]


def planted(root: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads((root / "m3dbench-data.json").read_text())["planted_leaks"]
    return rows


@pytest.fixture(scope="module")
def found(phantom: Path) -> Audit:
    return audit(open_data(phantom), workers=1)


def test_exactly_the_planted_leaks_are_found(phantom: Path, found: Audit) -> None:
    assert len(planted(phantom)) == 4
    assert sorted(map(str, leaks_of(found))) == sorted(map(str, planted(phantom)))


@pytest.mark.parametrize("seed", [2, 5])
def test_the_same_under_other_seeds(seed: int, tmp_path: Path) -> None:
    """Seed 2 has two bodies whose blurred volumes correlate to 0.96."""
    from m3dbench.data.phantom import make

    root = make(tmp_path / "phantom", seed=seed, train=12, validation=2, test=8)
    assert sorted(map(str, leaks_of(audit(open_data(root), workers=1)))) == sorted(map(str, planted(root)))


def test_without_volumes_only_what_texts_and_ids_show(phantom: Path) -> None:
    kinds = {leak["kind"] for leak in leaks_of(audit(open_data(phantom), with_volumes=False))}
    assert kinds == {"case", "text", "normalised text"}


def test_every_test_case_has_a_stratum_and_leaked_ones_a_reason(found: Audit) -> None:
    rows = found.strata()
    leaked = {row["case"]: row["reason"] for row in rows if row["leak"] == "leaked"}
    assert set(leaked) == {leak.case.id for leak in found.leaks}
    assert (
        len(rows)
        == len({row["case"] for row in rows})
        == len({case.id for case in found.cases.of("test", "validation")})
    )
    assert "in train" in next(iter(leaked.values()))


REPORT = (
    "The liver is 158 mm long and of even density. Both kidneys are of normal size without hydronephrosis. "
    "The spleen is not enlarged. A cyst measuring 14 mm is seen in the left kidney. The aorta measures 22 mm."
)


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        (REPORT, "text"),
        (REPORT.upper().replace(". ", ".   "), "normalised text"),
        (REPORT + " Follow-up is advised.", "near text"),
        (REPORT.replace("14 mm", "41 mm"), None),
        (REPORT.replace("left kidney", "right kidney"), None),
        (REPORT.replace("is not enlarged", "is enlarged by 3 cm"), None),
        ("No abnormality.", None),
    ],
)
def test_texts_from_one_template_are_not_one_text(other: str, kind: str | None) -> None:
    ours = Case("ct_quizze/000001", "test", "a", [REPORT, "No abnormality."])
    theirs = Case("ct_case/000002", "train", "b", [other])
    assert [match.kind for match in texts.matches([ours], [theirs])] == ([kind] if kind else [])


def test_one_number_in_both_folders_counts_only_with_a_like_text() -> None:
    half = ". ".join(REPORT.split(". ")[:4]) + " with a thin wall. Nothing else is seen in the abdomen."
    ours = [Case("ct_quizze/000001", "test", "a", [REPORT]), Case("ct_quizze/000003", "test", "c", [REPORT])]
    theirs = [Case("ct_case/000001", "train", "b", [half]), Case("ct_case/000003", "train", "d", ["x " * 40])]
    assert texts.same_number(ours, theirs) == 2
    assert [(match.case.id, match.other.id) for match in texts.matches(ours, theirs)] == [
        ("ct_quizze/000001", "ct_case/000001")
    ]


def test_a_volume_is_known_again_flipped_swapped_windowed_and_noisy(phantom: Path, tmp_path: Path) -> None:
    paths = sorted((phantom / "M3D_Seg_npy" / "0003").glob("*/image.npy"))[:5]
    original = np.load(paths[0])[0]
    rng = np.random.default_rng(0)
    copies = {
        "flipped": original[::-1, :, ::-1],
        "swapped": original.transpose(0, 2, 1),
        "windowed": np.clip(original, 0.2, 0.8),
        "noisy": original + rng.normal(0, 0.03, original.shape),
        "coarse": original[:, ::2, ::2],
    }
    for name, copy in copies.items():
        np.save(tmp_path / f"{name}.npy", copy[None].astype(np.float32))
    np.save(tmp_path / "broken.npy", np.zeros((1, 4, 4, 4)))
    theirs = [*(f"{name}.npy" for name in copies), "broken.npy"]
    others = [path.name for path in paths]
    for number, path in enumerate(paths):
        others[number] = f"other{number}.npy"
        (tmp_path / others[number]).write_bytes(path.read_bytes())
    ours = volumes.signatures(tmp_path, others, 1, turned=True)
    signed = volumes.signatures(tmp_path, theirs, 1, turned=False)
    assert list(signed.readable) == [True] * len(copies) + [False]
    found = {(match.place, match.other) for match in volumes.matches(tmp_path, (others, ours), (theirs, signed))}
    assert found == {(0, place) for place in range(len(copies))}


def test_parts_of_official_split_names() -> None:
    names = ["train", "training", "yn_train", "validation", "val", "test", "test1k", "hard_test", "all"]
    assert [part_of(name) for name in names] == [*["train"] * 3, *["validation"] * 2, *["test"] * 3, None]


def test_what_test_sets_give_away(phantom: Path) -> None:
    source = open_data(phantom)
    by_split = {one.split: one for one in letters(source)}
    assert by_split["test"].questions == sum(by_split["test"].observed.values())
    assert by_split["yn_train"].chance == 0.5
    pool = {one.split: one for one in pools(source)}["test"]
    assert pool.texts < pool.items
    assert pool.ceiling == pool.texts / pool.items
    told = {one.dataset: one for one in definitions(source)}
    (names,) = told["0011"].ambiguous.values()
    assert names == ["kidney left", "kidney right"]
    assert set(told["0003"].named.values()) == {"liver"}


def test_audit_then_run_and_score_by_stratum(m3dbench: Command, phantom: Path, tmp_path: Path) -> None:
    strata = tmp_path / "strata.jsonl"
    done = m3dbench("data", "audit", phantom, "--out", strata, "--json", tmp_path / "audit.json", "--workers", "1")
    assert "Language priors of vqa_closed test: blind accuracy" in done.stdout
    report = json.loads((tmp_path / "audit.json").read_text())
    assert report["language_priors"][0]["chance"] == pytest.approx(0.3, abs=0.1)
    call = ["--model", "blind", "--task", "vqa_closed", "--data", phantom, "--strata", strata]
    done = m3dbench("run", *call, "--out", tmp_path / "run")
    assert "apart by leak" in done.stdout
    metric = json.loads((tmp_path / "run" / "summary.json").read_text())["tasks"]["vqa_closed"]["metrics"][0]
    cells = metric["strata"]["leak"]
    assert set(cells) == {"clean", "leaked"}
    assert cells["clean"]["n_planned"] + cells["leaked"]["n_planned"] == metric["micro"]["n_planned"]
    facts = json.loads((tmp_path / "run" / "run.json").read_text())["tasks"]["vqa_closed"]["facts"]
    assert facts["recorded"]["strata"]["dimensions"] == ["leak"]
    assert "strata" not in json.dumps(facts["resume"]) + json.dumps(facts["comparable"])


def test_data_without_a_train_split_leak_nothing(phantom: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(phantom / "M3D_Seg_npy" / "0012", root / "M3D_Seg_npy" / "0012")
    shutil.copy(phantom / "M3D_Seg_npy" / "dataset_info.json", root / "M3D_Seg_npy")
    lists = root / "M3D_Seg_npy" / "0012" / "0012.json"
    content = json.loads(lists.read_text())
    lists.write_text(json.dumps({"train": [], "test": content["test"]}))
    found = audit(open_data(root), workers=1)
    assert list(found.leaks) == []
    assert {row["leak"] for row in found.strata()} == {"clean"}
