"""Making the phantom is atomic: killed, raced or misdirected, it leaves no half-made data set."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from m3dbench.data import phantom


def program(place: Path, *, train: int, test: int) -> str:
    call = f"phantom.make(Path({str(place)!r}), train={train}, validation=0, test={test})"
    return f"from pathlib import Path; from m3dbench.data import phantom; {call}"


def test_killed_half_way_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    place = tmp_path / "data"
    process = subprocess.Popen([sys.executable, "-c", program(place, train=60, test=60)])
    while not list(tmp_path.glob(".data.making-*/M3D_Cap_npy/*/*/*.npy")):
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not place.exists()
    (left,) = tmp_path.glob(".data.making-*")
    assert phantom.marker(left) is None
    day_ago = time.time() - 2 * 86400
    os.utime(left, (day_ago, day_ago))
    phantom.make(place, train=1, validation=0, test=1)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_two_processes_at_once(tmp_path: Path) -> None:
    place = tmp_path / "data"
    command = [sys.executable, "-c", program(place, train=1, test=1)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert phantom.marker(place) is not None
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(FileExistsError):
        phantom.make(tmp_path, train=1, validation=0, test=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
