"""One writer per folder, with real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from m3dbench.errors import UserError
from m3dbench.runs import lock

HOLDER = """
import sys, time
from pathlib import Path
from m3dbench.runs import lock
with lock.hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_live_writer_is_not_disturbed_and_a_killed_one_is_succeeded(tmp_path: Path) -> None:
    process = holder(tmp_path)
    try:
        with pytest.raises(UserError, match=f"process {process.pid}"), lock.hold(tmp_path, take_over=True):
            pass
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with lock.hold(tmp_path):
        owner = json.loads((tmp_path / "lock").read_text())
        assert owner["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def foreign(folder: Path, age: float) -> None:
    (folder / "lock").write_text(json.dumps({"host": "elsewhere", "boot": "b", "pid": 1, "start": ""}))
    os.utime(folder / "lock", (time.time() - age, time.time() - age))


def test_a_lock_of_another_host_needs_take_over_and_silence(tmp_path: Path) -> None:
    foreign(tmp_path, age=1)
    with pytest.raises(UserError, match="last heard of"), lock.hold(tmp_path, take_over=True):
        pass
    foreign(tmp_path, age=3600)
    with pytest.raises(UserError, match="--take-over"), lock.hold(tmp_path):
        pass
    with lock.hold(tmp_path, take_over=True):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


def test_a_reused_pid_is_not_mistaken_for_the_writer(tmp_path: Path) -> None:
    with lock.hold(tmp_path):
        mine = json.loads((tmp_path / "lock").read_text())
    (tmp_path / "lock").write_text(json.dumps({**mine, "start": "1"}))
    with lock.hold(tmp_path):
        pass


def test_many_starters_one_holder(tmp_path: Path) -> None:
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for _ in range(5)
    ]
    # The one that holds the lock sleeps until it is killed, the four that were refused end by themselves.
    while sum(process.poll() is None for process in starts) > 1:
        time.sleep(0.02)
    for process in starts:
        process.kill()
    assert sorted(process.communicate()[0] for process in starts) == ["", "", "", "", "held\n"]
