"""SIGKILL at random instants: what comes out in the end is what an undisturbed run gives, byte by byte."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests_support import contents

KILLS = 20
ADAPTER = "brightest-axis"


def start(phantom: Path, out: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    arguments = [
        "run",
        "--model",
        "random",
        "--task",
        "seg_semantic,rec,retrieval,vqa_closed",
        "--limit",
        "40",
        "--data",
        str(phantom),
        "--out",
        str(out),
    ]
    command = [str(Path(sys.executable).with_name("m3dbench")), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_twenty_kills_lose_and_repeat_nothing(phantom: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    began = time.monotonic()
    undisturbed = start(phantom, tmp_path / "undisturbed", environment)
    _, errors = undisturbed.communicate()
    assert undisturbed.returncode == 0, errors.decode()
    whole = time.monotonic() - began

    instants = random.Random(7)
    out = tmp_path / "killed"
    kills = 0
    while kills < KILLS:
        process = start(phantom, out, environment)
        try:
            process.wait(timeout=instants.uniform(0.1, 1.1) * whole)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        else:
            assert process.returncode == 0, process.stderr.read().decode() if process.stderr else ""
            if instants.random() < 0.5:
                (out / "seg_semantic" / "scores.jsonl").unlink()
        kills += 1
    last = start(phantom, out, environment)
    _, errors = last.communicate()
    assert last.returncode == 0, errors.decode()
    ours, theirs = contents(tmp_path / "undisturbed"), contents(out)
    assert ours.keys() == theirs.keys()
    different = [name for name in ours if ours[name] != theirs[name]]
    assert different == []


def test_a_journal_cut_anywhere_is_completed_to_the_same_bytes(
    phantom: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    out = tmp_path / "run"
    assert start(phantom, out, environment).wait() == 0
    before = contents(out)
    for cut, shorter in ((0.3, 0), (0.71, 0), (1.0, 5000), (0.5, 40000)):
        for folder, arrays in ((out / "seg_semantic", "masks"), (out / "retrieval", "embeddings")):
            journal, shard = folder / "predictions.jsonl", folder / arrays / "00000.tar"
            with journal.open("r+b") as stream:
                stream.truncate(int(journal.stat().st_size * cut))
            with shard.open("r+b") as stream:
                stream.truncate(max(0, shard.stat().st_size - shorter))
        assert start(phantom, out, environment).wait() == 0
        assert contents(out) == before
