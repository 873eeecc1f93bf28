"""Against a server that misbehaves, with SIGKILL on the way: nothing is lost, and nothing that was kept is asked again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from chat_servers import Misbehaving, misbehaving
from tests_support import contents

DRIVER = Path(__file__).parent.parent / "support" / "chat_driver.py"
REQUESTS = 1000
CONCURRENCY = 24


def drive(server: Misbehaving, folder: Path) -> subprocess.Popen[bytes]:
    arguments = [server.url, str(folder / "replies.jsonl"), str(folder / "out.jsonl"), str(REQUESTS), str(CONCURRENCY)]
    environment = {**os.environ, "OPENAI_API_KEY": "sk-test"}
    return subprocess.Popen([sys.executable, str(DRIVER), *arguments], env=environment, stderr=subprocess.PIPE)


def kept(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


def ids(log: Path) -> list[str]:
    """The requests whose replies a log holds; a torn last line is none."""
    rows = [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [row["id"] for row in rows if "reply" in row]


def kill_at(process: subprocess.Popen[bytes], log: Path, replies: int) -> None:
    deadline = time.monotonic() + 600
    while kept(log) < replies:
        assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_thousand_requests_and_two_kills_lose_and_repeat_nothing(tmp_path: Path) -> None:
    instants = random.Random(5)
    log = tmp_path / "replies.jsonl"
    with misbehaving(tmp_path / "server", "--faults", 0.05, "--slow", 0.05, "--retry-after", 0.02) as server:
        settled: dict[str, int] = {}
        for share in (0.3, 0.65):
            kill_at(drive(server, tmp_path), log, int(REQUESTS * share * instants.uniform(0.8, 1.2)))
            answers = server.answered()
            settled.update({reply: answers[reply] for reply in ids(log)})
        last = drive(server, tmp_path)
        _, errors = last.communicate()
        assert last.returncode == 0, errors.decode()
        rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert [row["number"] for row in rows] == list(range(REQUESTS))
        assert {row["status"] for row in rows} == {"ok", "refused"}
        assert all(f"Question {row['number']}?" in row["text"] for row in rows if row["text"].startswith("You said"))
        replies = ids(log)
        assert len(replies) == len(set(replies)) == REQUESTS
        answered = server.answered()
        assert answered.keys() == set(replies)
        assert {reply: answered[reply] for reply in settled} == settled
        # Only what was on its way at a kill may have been answered twice: nobody can know whether it was.
        assert sum(answered.values()) - REQUESTS <= 2 * CONCURRENCY
        faults = server.outcomes()
        assert all(faults[kind] > 10 for kind in ("429", "500", "cut", "malformed", "empty"))


def test_a_killed_run_ends_in_the_bytes_of_an_undisturbed_one(
    phantom: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    own = {**environment, "PYTHONPATH": "", "OPENAI_API_KEY": "sk-test"}
    with misbehaving(
        tmp_path / "server", "--faults", 0.05, "--slow", 0.05, "--answer", "choice", "--delay", 0.01
    ) as server:

        def start(out: str) -> subprocess.Popen[bytes]:
            command = [
                str(Path(sys.executable).with_name("m3dbench")),
                "run",
                "--model",
                "openai",
                "--task",
                "vqa_closed",
            ]
            command += ["--data", str(phantom), "--out", str(tmp_path / out), "--limit", "40"]
            command += ["-o", "model=m", "-o", f"base_url={server.url}", "-o", "slices=2", "-o", "size=0"]
            return subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

        log = tmp_path / "killed" / "vqa_closed" / "replies.jsonl"
        kill_at(start("killed"), log, 15)
        settled = set(ids(log))
        for out in ("killed", "undisturbed"):
            process = start(out)
            _, errors = process.communicate()
            assert process.returncode == 0, errors.decode()
            if out == "killed":
                replies, answered = ids(log), server.answered()
                assert len(replies) == len(set(replies))
                assert answered.keys() == set(replies)
                assert {answered[reply] for reply in settled} == {1}
        ours, theirs = contents(tmp_path / "undisturbed"), contents(tmp_path / "killed")
        assert {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)} == set()
