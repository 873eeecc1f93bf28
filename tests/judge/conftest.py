"""A judge on the misbehaving server, and the command line in this process."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from chat_servers import Misbehaving, misbehaving
from judge_pairs import pairs
from tests_support import write_jsonl

from m3dbench.cli import console
from m3dbench.cli.main import main
from m3dbench.data.answers import AnswerFile
from m3dbench.metrics.box_convention import BoxConvention
from m3dbench.progress import Silent
from m3dbench.runs.engine import Settings
from m3dbench.runs.score_file import FileJob, score_file
from m3dbench.tasks.report_generation import ReportGeneration

SUPPORT = Path(__file__).parent.parent / "support"
Start = Callable[..., Misbehaving]


class Done(NamedTuple):
    """What a command wrote."""

    stdout: str
    stderr: str


Finished = Callable[..., Done]


@pytest.fixture(scope="session")
def online(environment: dict[str, str]) -> dict[str, str]:
    """Environment of a process that may reach servers of ours."""
    return {name: value for name, value in environment.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="session")
def command(_own_cache: None) -> Finished:
    """``command("judge", RUN, ..., code=1)``: the command line in this process, which starts in no time."""

    def call(*arguments: str | Path, code: int = 0) -> Done:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as changed, redirect_stdout(out), redirect_stderr(err):
            changed.setattr(sys, "argv", ["m3dbench", *map(str, arguments)])
            changed.setattr(console.out, "width", 200)
            try:
                main()
                found = 0
            except SystemExit as end:
                found = int(end.code or 0)
        done = Done(out.getvalue(), err.getvalue())
        assert found == code, f"exit {found}\n{done.stdout}\n{done.stderr}"
        return done

    return call


class Light(ReportGeneration):
    """The task with one metric that costs next to nothing."""

    metrics = {"corrected": ("rouge1",), "upstream": ()}


@pytest.fixture
def scored(tmp_path: Path) -> Callable[..., Path]:
    """``scored(24)``: a run folder of so many scored report pairs, not judged yet; or of the rows given."""

    def make(rows: int | list[dict[str, Any]], name: str = "run") -> Path:
        file = write_jsonl(tmp_path / f"{name}.jsonl", pairs(rows) if isinstance(rows, int) else rows)
        job = FileJob(AnswerFile(file), Light(), None, "answers", BoxConvention())
        score_file(job, tmp_path / name, Settings(), Silent())
        return tmp_path / name

    return make


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """``serve("careful", "--faults", "0.05")``: a server with a judge of ``support/judges.py``."""
    with ExitStack() as running:

        def start(judge: str, *options: str) -> Misbehaving:
            folder = tmp_path_factory.mktemp("server")
            return running.enter_context(misbehaving(folder, "--answer", f"{SUPPORT / 'judges.py'}:{judge}", *options))

        yield start
