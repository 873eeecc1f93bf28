"""A judge on the misbehaving server, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
Start = Callable[..., str]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Start]:
    """``serve("careful", "--faults", "0.05")`` gives the address of a server whose judge is in ``support/judges.py``."""
    running: list[subprocess.Popen[bytes]] = []

    def start(judge: str, *arguments: str) -> str:
        name = f"server-{len(running)}"
        port, log = tmp_path / f"{name}.port", tmp_path / f"{name}.log"
        script = HERE.parent / "support" / "misbehaving_server.py"
        call = [sys.executable, str(script), "--port-file", str(port), "--log", str(log)]
        process = subprocess.Popen([*call, "--answer", f"{HERE.parent / 'support' / 'judges.py'}:{judge}", *arguments])
        running.append(process)
        while not port.exists():
            assert process.poll() is None, "the server did not start"
            time.sleep(0.02)
        return f"http://127.0.0.1:{port.read_text()}/v1"

    yield start
    for process in running:
        process.kill()
        process.wait()
