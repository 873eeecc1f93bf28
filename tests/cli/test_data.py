"""``m3dbench data``: the phantom and the conversion, as a user calls them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import m3dbench as library

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_a_phantom_is_made_once_and_a_strange_folder_left_alone(m3dbench: Command, tmp_path: Path) -> None:
    call = ("data", "phantom", tmp_path / "phantom", "--train", "2", "--test", "2")
    assert "m3dbench run" in m3dbench(*call).stdout
    marker = (tmp_path / "phantom" / "m3dbench-data.json").read_text()
    assert json.loads(marker)["kind"] == "phantom"
    m3dbench(*call)
    assert (tmp_path / "phantom" / "m3dbench-data.json").read_text() == marker
    done = m3dbench("data", "phantom", tmp_path / "phantom", "--train", "3", "--test", "2", code=2)
    assert "choose another directory" in done.stderr
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    m3dbench("data", "phantom", tmp_path / "mine", code=2)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.fixture(scope="module")
def converted(m3dbench: Command, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cases a and b of the real CTs, converted on a smaller grid for speed."""
    place = tmp_path_factory.mktemp("real")
    source = shared / "data" / "totalsegmentator"
    for case in ("case_a", "case_b"):
        shutil.copytree(source / case, place / "scans" / case)
    shutil.copy(source / "labels.json", place / "scans")
    m3dbench("data", "convert", "totalsegmentator", place / "scans", place / "ct", "--grid", "32,128,128")
    return place / "ct"


@pytest.mark.parametrize("model", ["oracle", "random", "threshold"])
def test_the_real_scans_run_with_every_baseline_that_can(
    m3dbench: Command, converted: Path, tmp_path: Path, model: str
) -> None:
    done = m3dbench("run", "--model", model, "--data", converted, "--out", tmp_path / "r")
    run = library.load_run(tmp_path / "r")
    values = run.values().query("dimension == '' and scoring == 'corrected'").set_index(["task", "metric"]).value
    assert {"rec", "seg_semantic"} <= set(run.tasks)
    assert "No intervals under 10 cases" in done.stdout
    assert all(summary["data"] == "converted" for summary in run.summary["tasks"].values())
    facts = json.loads((tmp_path / "r" / "run.json").read_text())["tasks"]["rec"]["facts"]
    assert facts["comparable"]["splits"] == {"totalsegmentator": "all cases are test cases"}
    assert "Split of totalsegmentator: all cases are test cases." in done.stdout
    if model == "oracle":
        assert values["seg_semantic", "dice"] == values["rec", "iou"] == values["reg", "name_exact"] == 1
    if model == "threshold":
        strata = run.values().query("task == 'seg_semantic' and metric == 'dice' and dimension == 'class'")
        dice = strata[strata.scoring == "corrected"].set_index("stratum").value
        assert dice["liver"] > 0.8
        assert dice["spleen"] > 0.7


def test_a_baseline_that_learns_says_that_there_is_no_train_split(
    m3dbench: Command, converted: Path, tmp_path: Path
) -> None:
    done = m3dbench("run", "--model", "blind", "--data", converted, "--out", tmp_path / "r", code=3)
    assert "learns from a train split" in done.stderr
    done = m3dbench("run", "--model", "random", "--task", "reg", "--data", converted, "--out", tmp_path / "r2", code=3)
    assert "learns from a train split" in done.stderr


def test_a_folder_that_is_no_case_is_named(m3dbench: Command, shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "totalsegmentator"
    for case in ("case_b", "case_c"):
        shutil.copytree(source / case, tmp_path / "scans" / case)
    shutil.copy(source / "labels.json", tmp_path / "scans")
    call = ("data", "convert", "totalsegmentator", tmp_path / "scans", tmp_path / "ct", "--grid", "8,32,32")
    done = m3dbench(*call, code=2)
    assert "case_c" in done.stderr
    assert "ct.nii.gz" in done.stderr
    done = m3dbench(*call, "--keep-going")
    assert "1 cases (1 kept from before)" in done.stdout
    assert "case_c was left out" in done.stderr
