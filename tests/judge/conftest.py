"""A judge on the misbehaving server, and the command, as processes of their own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from judge_pairs import pairs
from tests_support import write_jsonl

from m3dbench.data.answers import AnswerFile
from m3dbench.metrics.box_convention import BoxConvention
from m3dbench.progress import Silent
from m3dbench.runs.engine import Settings
from m3dbench.runs.score_file import FileJob, score_file
from m3dbench.tasks.report_generation import ReportGeneration

SUPPORT = Path(__file__).parent.parent / "support"
Start = Callable[..., str]
Finished = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def online(environment: dict[str, str]) -> dict[str, str]:
    """Environment of a process that may reach servers of ours."""
    return {name: value for name, value in environment.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="session")
def command(online: dict[str, str]) -> Finished:
    """``command("judge", RUN, ..., code=1)``: the command line as a process."""

    def call(*arguments: str | Path, code: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        words = [str(Path(sys.executable).with_name("m3dbench")), *map(str, arguments)]
        done = subprocess.run(words, env=online, capture_output=True, text=True, cwd=cwd, timeout=300)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
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
    """``serve("careful", "--faults", "0.05")`` gives the address of a server with a judge of ``support/judges.py``."""
    folder = tmp_path_factory.mktemp("servers")
    running: list[subprocess.Popen[bytes]] = []

    def start(judge: str, *arguments: str, log: Path | None = None) -> str:
        name = f"server-{len(running)}"
        port = folder / f"{name}.port"
        call = [sys.executable, str(SUPPORT / "misbehaving_server.py"), "--port-file", str(port)]
        call += [
            "--log",
            str(log or folder / f"{name}.log"),
            "--answer",
            f"{SUPPORT / 'judges.py'}:{judge}",
            *arguments,
        ]
        process = subprocess.Popen(call)
        running.append(process)
        while not port.exists():
            assert process.poll() is None, "the server did not start"
            time.sleep(0.02)
        return f"http://127.0.0.1:{port.read_text()}/v1"

    yield start
    for process in running:
        process.kill()
        process.wait()
