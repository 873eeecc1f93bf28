"""Chat servers as processes of their own, for tests: the misbehaving one, and llama.cpp's with a small real model."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass
class Misbehaving:
    """A running server: its address, and what it says happened."""

    url: str
    log: Path

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def outcomes(self) -> Counter[str]:
        return Counter(event["outcome"] for event in self.events())

    def answered(self) -> Counter[str]:
        """How often each request was answered in full, by the id that its reply is kept under."""
        return Counter(event["id"] for event in self.events() if event["outcome"] == "answered")

    def counts(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.url + "/counts", timeout=120) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


@contextmanager
def misbehaving(folder: Path, *options: str | float) -> Iterator[Misbehaving]:
    """Start ``misbehaving_server.py`` with its files in a folder; stopped in the end."""
    folder.mkdir(parents=True, exist_ok=True)
    port, log = folder / "port", folder / "log.jsonl"
    port.unlink(missing_ok=True)
    files = ["--port-file", str(port), "--log", str(log)]
    command = [sys.executable, str(HERE / "misbehaving_server.py"), *files, *map(str, options)]
    process = subprocess.Popen(command)
    try:
        _wait(port, process)
        yield Misbehaving(f"http://127.0.0.1:{port.read_text()}/v1", log)
    finally:
        process.kill()
        process.wait()


@contextmanager
def llama(folder: Path, weights: Path) -> Iterator[str]:
    """llama.cpp's server on weights in GGUF form; gives its address up to ``/v1``."""
    port = folder / "llama-port"
    command = [sys.executable, str(HERE / "llama_server.py"), str(weights), str(port)]
    with (folder / "llama.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(port, process)
            yield port.read_text() + "/v1"
        finally:
            process.kill()
            process.wait()


def _wait(file: Path, process: subprocess.Popen[bytes], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not file.exists():
        assert process.poll() is None, f"the server ended with {process.returncode}"
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.02)
