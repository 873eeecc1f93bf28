"""2,000 pairs, every kind of fault, two kills: every item ends exactly once, and no paid answer is paid again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from chat_servers import Misbehaving
from judge_pairs import expected

PAIRS, CONCURRENCY = 2000, 64
KILLED_AT = (500, 1300)


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_two_thousand_pairs_survive_faults_and_kills(
    scored: Callable[[int], Path], serve: Callable[..., Misbehaving], online: dict[str, str]
) -> None:
    run = scored(PAIRS)
    server = serve("careful", "--faults", "0.05", "--slow", "0.3")
    words = [str(Path(sys.executable).with_name("m3dbench")), "judge", str(run), "--judge-model", "careful"]
    words += ["--base-url", server.url, "--concurrency", str(CONCURRENCY), "--attempts", "2"]
    for stop in KILLED_AT:
        process = subprocess.Popen(words, env=online, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while lines(run / "judge.jsonl") < stop:
            assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = subprocess.run(words, env=online, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr

    judged = [json.loads(line) for line in (run / "judge.jsonl").read_text().splitlines()]
    assert [row["name"] for row in judged] == [f"r{number:05}" for number in range(PAIRS)]
    scores = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
    mine = [row for row in scores if row["metric"] == "judge_aspects_recall"]
    assert [row["id"] for row in mine] == [row["name"] for row in judged]
    statuses = Counter(row["status"] for row in mine)
    assert statuses["scored"] + statuses["unscored"] == PAIRS
    assert 0 < statuses["unscored"] < 0.02 * PAIRS
    for number, row in enumerate(mine):
        if row["status"] == "scored":
            assert row["value"] == expected(number)
        else:
            assert row["value"] is None
            assert row["reason"].startswith(("refused: ", "unparsable: "))

    (about,) = json.loads((run / "summary.json").read_text())["tasks"]["report_generation"]["judges"]
    assert about["unscored"] == statuses["unscored"] == sum(about["failures"].values())
    assert about["publishable"] is True
    assert not (run / "judge.replies.jsonl").exists()

    assert {"429", "500", "cut", "malformed", "empty", "answered"} <= set(server.outcomes())
    # What was on its way when the process died may have been answered to nobody.
    assert sum(count - 1 for count in server.answered().values()) <= len(KILLED_AT) * CONCURRENCY
