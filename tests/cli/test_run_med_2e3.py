"""``m3dbench run --model med-2e3`` on parity-size weights laid out as published, and what is shown of its slices."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from published_folder import write_parts

TASKS = {"vqa_closed", "vqa_open", "report_generation"}
Main = Callable[..., tuple[int, str]]


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Main:
    """The command line in this process: exit status, and what it printed."""
    from m3dbench.cli.main import main

    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)

    def call(*arguments: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["m3dbench", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), " ".join((told.out + told.err).split())

    return call


@pytest.fixture(scope="module")
def weights(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (shared / "parity" / "weights.py").is_file():
        pytest.skip("the parity material is not in the shared folder")
    return write_parts(shared / "parity" / "med_2e3", tmp_path_factory.mktemp("med") / "checkpoint")


def test_every_declared_task_runs_and_its_slices_are_drawn(
    main: Main, weights: Path, phantom: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options = ["-o", f"weights={weights}", "-o", "max_new_tokens=8", "--limit", "2", "--data", phantom]
    code, told = main("run", "--model", "med-2e3", "--scoring", "corrected", *options, "--out", run)
    assert code == 0
    assert "Not supported by med-2e3:" in told
    assert "slice scores" in told
    content = json.loads((run / "run.json").read_text())["tasks"]
    assert set(content) == TASKS
    for name, task in content.items():
        summary = json.loads((run / name / "summary.json").read_text())["tasks"][name]
        assert summary["predictions"] == {"ok": 2, "error": 0, "refused": 0, "missing": 0}
        facts = task["facts"]["resume"]["model_facts"]
        assert len(facts["weights"]) == len(facts["prompt"]["tokenizer"]) == 64
        assert facts["slice_scoring"]["projection"] == "of the checkpoint"
        assert [-201, 1] in facts["prompt"]["golden"]["ids"]
        assert all(check["passed"] for check in task["facts"]["recorded"]["model"]["self_checks"])
        rows = [json.loads(line) for line in (run / name / "predictions.jsonl").read_text().splitlines()]
        assert [len(row["slices"]["weights"]) for row in rows] == [32, 32]

    code, told = main("run", "--model", "med-2e3", *options, "--out", run, "--reference-loader-bug")
    assert code == 2
    assert "field: model_facts.slice_scoring.projection" in told

    code, told = main("export", "attention", run, "--out", tmp_path / "shown", "--limit", "0")
    assert code == 0
    assert "0 pictures, attention.jsonl with the weights of 6 answers" in told
    rows = [json.loads(line) for line in (tmp_path / "shown" / "attention.jsonl").read_text().splitlines()]
    one = rows[1]
    code, _ = main("export", "attention", run, "--out", tmp_path / "one", "--task", one["task"], "--sample", one["id"])
    assert code == 0
    (row,) = [json.loads(line) for line in (tmp_path / "one" / "attention.jsonl").read_text().splitlines()]
    assert row["weights"] == one["weights"]
    assert (tmp_path / "one" / row["file"]).read_bytes().startswith(b"\x89PNG")
    for wrong, reason in ((["--sample", "none"], "no sample 'none'"), (["--task", "rec"], "no task 'rec'")):
        code, told = main("export", "attention", run, "--out", tmp_path / "x", *wrong)
        assert (code, reason in told) == (2, True)


def test_calls_that_cannot_be_are_refused(main: Main, random_med_2e3: Path, phantom: Path, tmp_path: Path) -> None:
    options = ["-o", f"weights={random_med_2e3}", "--data", phantom, "--out", tmp_path / "run"]
    code, told = main("run", "--model", "med-2e3", "--task", "rec", *options)
    assert code == 2
    assert "does not do 'rec'" in told
    assert "it declares: report_generation, vqa_closed, vqa_open" in told
    code, told = main("run", "--model", "random", "--task", "rec", "--reference-loader-bug", "--data", phantom)
    assert code == 2
    assert "'random' does not take --reference-loader-bug: no such bug is known of it" in told
    code, told = main("run", "--model", "med-2e3", *options, "--reference-loader-bug", "-o", "reference_loader_bug=yes")
    assert code == 2
    assert "are one option" in told
    assert main("run", "--model", "random", "--task", "vqa_closed", "--limit", "1", *options[2:])[0] == 0
    code, told = main("export", "attention", tmp_path / "run", "--out", tmp_path / "shown")
    assert code == 2
    assert "no answer of this run has slice weights" in told
