"""Many failures for one reason are one line, in the summary and on the terminal."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from m3dbench.runs.reasons import Reasons

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_reasons_are_counted_without_the_files_that_they_name() -> None:
    reasons = Reasons()
    for number in range(10_000):
        reasons.add(f"the file is missing; file: image{number}.npy; fix: copy it")
    reasons.add("is constant (0 everywhere); file: a.npy")
    reasons.add("ValueError: no answer")
    assert reasons.to_json() == {
        "ValueError: no answer": 1,
        "is constant (0 everywhere); file: a.npy": 1,
        "the file is missing; first file: image0.npy; fix: copy it": 10_000,
    }


def test_a_run_without_its_volumes_says_so_once(m3dbench: Command, phantom: Path, tmp_path: Path) -> None:
    code = tmp_path / "data" / "M3D_Seg_npy" / "0003"
    shutil.copytree(phantom / "M3D_Seg_npy" / "0003", code, ignore=shutil.ignore_patterns("image.npy"))
    shutil.copy(phantom / "M3D_Seg_npy" / "dataset_info.json", code.parent)
    call = ["run", "--model", "threshold", "--task", "rec", "--data", tmp_path / "data", "--out", tmp_path / "run"]
    done = m3dbench(*call, code=1)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "is missing" in line]
    assert len(told) == 1
    assert "first file: M3D_Seg_npy/0003/" in told[0]
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())["tasks"]["rec"]
    (count,) = summary["prediction_reasons"].values()
    assert count == summary["predictions"]["error"] == summary["samples"]


def test_a_list_with_a_trailing_comma_ends_a_run_with_its_place(m3dbench: Command, tmp_path: Path) -> None:
    code = tmp_path / "data" / "M3D_Seg_npy" / "0003"
    code.mkdir(parents=True)
    (code / "0003.json").write_text('{"test": [1, 2,\n]}')
    done = m3dbench("run", "--model", "blind", "--task", "rec", "--data", tmp_path / "data", code=2, cwd=tmp_path)
    assert "line 2, column 1" in done.stderr or "line 1, column" in done.stderr
    assert "0003.json" in done.stderr
