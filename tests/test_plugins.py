"""The worked examples of CONTRIBUTING: a task, an adapter, a metric and a data set from another package."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from tests_support import write_jsonl

import m3dbench as library

Command = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.skipif(
    "plane_naming" not in {point.name for point in entry_points(group="m3dbench.tasks")},
    reason="tests/plugin_package is not installed (tests/run.sh does)",
)


def test_they_are_listed_beside_the_built_in_ones(m3dbench: Command) -> None:
    for what, name in (
        ("tasks", "plane_naming"),
        ("models", "brightest-axis"),
        ("metrics", "length_ratio"),
        ("datasets", "notes"),
    ):
        assert name in m3dbench("list", what).stdout


def test_task_adapter_metric_and_data_set_work_together(m3dbench: Command, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    rows = []
    for number in range(12):
        volume = np.random.default_rng(number).random((1, 6, 8, 10)).astype(np.float32)
        np.save(data / f"{number}.npy", volume)
        plane = ("axial", "coronal")[number % 2]
        rows.append({"case": str(number), "volume": f"{number}.npy", "text": "normal", "split": "test", "plane": plane})
    write_jsonl(data / "notes.jsonl", rows)
    out = tmp_path / "run"
    arguments = [
        "--model",
        "brightest-axis",
        "-o",
        "quantile=0.8",
        "--task",
        "plane_naming",
        "--data",
        data,
        "--out",
        out,
    ]
    done = m3dbench("run", *arguments)
    assert "Plane naming" in done.stdout
    run = library.load_run(out)
    assert set(run.scores().metric) == {"name_exact", "length_ratio"}
    assert set(run.predictions().text) <= {"axial", "coronal", "sagittal"}
    assert run.facts["tasks"]["plane_naming"]["facts"]["resume"]["model_facts"] == {"quantile": 0.8}


def test_a_metric_of_a_plug_in_joins_a_built_in_task(m3dbench: Command, phantom: Path, tmp_path: Path) -> None:
    arguments = ["--model", "blind", "--task", "report_generation", "--data", phantom, "--out", tmp_path / "r"]
    m3dbench("run", *arguments, "--metric", "length_ratio", "--metric-option", "length_ratio.unit=characters")
    metrics = library.load_run(tmp_path / "r").summary["tasks"]["report_generation"]["metrics"]
    assert "length_ratio|unit:characters|v1" in {metric["signature"] for metric in metrics}


def test_a_bad_record_of_a_plug_in_s_data_is_named(m3dbench: Command, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "notes.jsonl", [{"case": "1", "volume": "1.npy", "split": "test"}])
    arguments = ["--model", "brightest-axis", "--task", "plane_naming", "--data", tmp_path, "--out", tmp_path / "r"]
    done = m3dbench("run", *arguments, code=2)
    assert "record: line 1" in done.stderr
    assert "field: text" in done.stderr
