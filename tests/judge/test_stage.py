"""Judging a run: values, statuses, what is written, and what two judgings must share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_servers import Misbehaving
from judge_pairs import expected, pairs
from made_checkout import make_checkout
from tests_support import contents, write_jsonl

pytestmark = pytest.mark.enable_socket
Command = Callable[..., Any]
Serve = Callable[..., Misbehaving]
SCRIPT = '''
import Qwen
system = """
Judge as told.
"""
for row in data:
    user = f"""
        Texts of ours. right: {answer}
        given: {pred}
        Say "Score: xx."
        """
    pattern = r"Score: (\\d+\\.\\d+)"
'''


@pytest.fixture(scope="module")
def careful(serve: Serve) -> str:
    return serve("careful").url


def rows_of(run: Path, metric: str = "judge_aspects_recall") -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
    return [row for row in rows if row["metric"] == metric]


def summary_of(run: Path, task: str = "report_generation") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "summary.json").read_text())["tasks"][task]
    return found


def test_equal_pairs_are_judged_once_and_failures_not_at_all(
    scored: Callable[..., Path], command: Command, serve: Serve
) -> None:
    rows = pairs(6) + [{**row, "id": f"again-{row['id']}"} for row in pairs(6)]
    rows += [
        {"id": "void", "prediction": "  ", "reference": "A cyst."},
        {"id": "mute", "prediction": "A cyst.", "reference": ""},
    ]
    rows += [{"id": "lost", "prediction": None, "reference": "A cyst.", "status": "error", "reason": "out of memory"}]
    run, server = scored(rows), serve("careful")
    done = command("judge", run, "--judge-model", "j", "--base-url", server.url)
    assert "judge_aspects_recall" in done.stdout
    assert server.outcomes() == {"answered": 6 + 1}  # and one to see whether a schema is taken
    found = {row["id"]: row for row in rows_of(run)}
    for number in range(6):
        assert found[f"r{number:05}"]["value"] == found[f"again-r{number:05}"]["value"] == expected(number)
    assert (found["void"]["status"], found["void"]["value"]) == ("scored", 0.0)
    assert (found["lost"]["status"], found["lost"]["value"]) == ("failed", 0.0)
    assert found["mute"]["status"] == "not_applicable"
    facts = json.loads((run / "run.json").read_text())["tasks"]["report_generation"]["facts"]
    (metric,) = (item for item in summary_of(run)["metrics"] if item["metric"] == "judge_aspects_recall")
    assert metric["micro"]["interval"] is not None
    assert metric["micro"]["n_planned"] == 14
    assert facts["comparable"]["scoring"]["corrected"]["judge_aspects_recall"] == metric["signature"]
    assert facts["recorded"]["judges"]["judge_aspects_recall"]["models_told"] == {"j-0001": 6}


def test_concurrency_and_passing_faults_leave_no_trace(
    scored: Callable[..., Path], command: Command, serve: Serve, careful: str
) -> None:
    faulty = serve("careful", "--fault", "500=0.2", "--fault", "cut=0.1", "--fault", "slow=0.1", "--slow", "0.05").url
    runs = []
    for name, address, together in (("calm", careful, "1"), ("wild", faulty, "32")):
        runs.append(scored(40, f"{name}"))
        command("judge", runs[-1], "--judge-model", "j", "--base-url", address, "--concurrency", together)
    calm, wild = (contents(run) for run in runs)
    for name in ("scores.jsonl", "judge.jsonl", "judge.json"):
        assert calm[name] == wild[name]
    assert summary_of(runs[0])["judges"] == summary_of(runs[1])["judges"]
    assert "judge_aspects_recall" in command("compare", *runs).stdout
    other = scored(40, "other")
    command("judge", other, "--judge-model", "another", "--base-url", careful)
    told = command("compare", runs[0], other).stdout
    assert "judge_aspects_recall (corrected) is not compared: its signature differs" in told
    before = contents(runs[1])
    command("judge", runs[1], "--judge-model", "j", "--base-url", faulty)
    assert contents(runs[1]) == before


def test_time_outs_are_unscored_not_zero_and_can_be_asked_again(
    scored: Callable[..., Path], command: Command, serve: Serve, careful: str
) -> None:
    run = scored(10)
    call = ("judge", run, "--judge-model", "j", "--format", "json_schema")
    slow = ("--base-url", serve("careful", "--delay", "600").url, "--timeout", "0.2", "--tries", "1")
    done = command(*call, *slow, code=1)
    assert "NOT PUBLISHABLE" in done.stdout
    assert {row["status"] for row in rows_of(run)} == {"unscored"}
    assert all("no answer within 0.2 s" in row["reason"] for row in rows_of(run))
    (about,) = summary_of(run)["judges"]
    assert (about["publishable"], about["unscored_rate"], about["failures"]) == (False, 1.0, {"failed": 10})
    command(*call, "--base-url", careful, code=1)
    done = command(*call, "--base-url", careful, "--retry-unscored")
    assert [row["value"] for row in rows_of(run)] == [expected(number) for number in range(10)]
    assert "NOT PUBLISHABLE" not in done.stdout


def test_asking_again_asks_anew_whatever_a_cache_holds_and_forgets_nothing(
    scored: Callable[..., Path], command: Command, serve: Serve, tmp_path: Path
) -> None:
    run, server = scored(12), serve("careful", "--fault", "unparsable=0.6")
    call = ("judge", run, "--judge-model", "j", "--base-url", server.url, "--format", "json_schema", "--attempts", "1",
            "--cache", tmp_path / "cache", "--max-unscored", "1")  # fmt: skip
    command(*call)
    lacking, used = [], []
    for _ in range(3):
        lacking.append({row["id"] for row in rows_of(run) if row["status"] == "unscored"})
        used.append(summary_of(run)["judges"][0]["usage"]["prompt_tokens"])
        asked = server.outcomes()["answered"]
        command(*call, "--retry-unscored")
        assert server.outcomes()["answered"] == asked + len(lacking[-1])
    assert lacking[0] > lacking[1]
    assert used[0] < used[1]
    assert len((run / "judge.jsonl").read_text().splitlines()) == 12
    assert {row["value"] for row in rows_of(run)} - {None} <= {expected(number) for number in range(12)}


def test_a_schema_that_is_refused_is_not_sent_and_makes_another_judge(
    scored: Callable[..., Path], command: Command, serve: Serve, careful: str
) -> None:
    signatures = []
    for name, address in (("with", careful), ("without", serve("careful", "--refuse-option", "response_format").url)):
        run = scored(5, name)
        command("judge", run, "--judge-model", "j", "--base-url", address)
        assert [row["value"] for row in rows_of(run)] == [expected(number) for number in range(5)]
        signatures.append(summary_of(run)["judges"][0]["signature"])
    assert "format:json_schema" in signatures[0]
    assert "format:text" in signatures[1]


def test_the_references_rubric_under_both_scorings(
    scored: Callable[..., Path], command: Command, serve: Serve, tmp_path: Path
) -> None:
    checkout = make_checkout(tmp_path / "M3D")
    (checkout / "Bench" / "eval").mkdir(parents=True)
    (checkout / "Bench" / "eval" / "eval_with_llm.py").write_text(SCRIPT)
    run = scored(40)
    call = ("judge", run, "--judge-model", "j", "--base-url", serve("talkative").url, "--rubric", "m3d")
    assert "--templates" in command(*call, code=2).stderr
    done = command(*call, "--templates", checkout)
    rows = rows_of(run, "judge_m3d")
    ours = {row["id"]: row for row in rows if row["scoring"] == "corrected"}
    theirs = {row["id"]: row for row in rows if row["scoring"] == "upstream"}
    assert {row["status"] for row in ours.values()} == {"scored"}
    lost = [row for row in theirs.values() if row["status"] == "unscored"]
    assert 0 < len(lost) < 40
    for row in theirs.values():
        value = ours[row["id"]]["value"]
        assert (row["status"] == "unscored") == (value == int(value))
        assert row.get("quirk", "") == ("Q-LLM-1" if row["status"] == "unscored" else "")
    assert f"loses {len(lost)} scores" in done.stdout
    assert "Q-LLM-1" in command("diff", run).stdout
    asked = json.loads((run / "judge.json").read_text())["judges"][0]["rubric"]
    assert asked["system"] == "\nJudge as told.\n"
    assert [kind for kind, _ in asked["user"]] == ["text", "reference", "text", "prediction", "text"]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("{pred}", "{pred.upper()}", "plain text"),
        (r"(\d+\.\d+)", r"(\d+)", "another pattern"),
    ],
)
def test_a_changed_script_is_refused_and_never_run(
    scored: Callable[..., Path], command: Command, tmp_path: Path, before: str, after: str, told: str
) -> None:
    script = tmp_path / "eval_with_llm.py"
    script.write_text(SCRIPT.replace(before, after) + "\nopen('ran', 'w')\n")
    run = scored(2)
    done = command(
        "judge", run, "--judge-model", "j", "--base-url", "http://localhost:9/v1", "--rubric", "m3d",
        "--templates", script, "--dry-run", code=2,
    )  # fmt: skip
    assert told in done.stderr
    assert not Path("ran").exists()


def test_judging_in_the_same_command_gives_the_same_files(
    command: Command, careful: str, tmp_path: Path, phantom: Path
) -> None:
    judge = ("--judge-model", "j", "--base-url", careful)
    plain = ("run", "--model", "blind", "--task", "report_generation,vqa_open,reg", "--data", phantom, "--limit", "4",
             "--metric-option", "bertscore_f1.model=none", "--out")  # fmt: skip
    done = command(*plain, tmp_path / "together", "--judge", *judge)
    assert "judge_answer_match" in done.stdout
    command(*plain, tmp_path / "apart")
    command("judge", tmp_path / "apart", *judge)
    together, apart = contents(tmp_path / "together"), contents(tmp_path / "apart")
    assert together == apart
    command(*plain, tmp_path / "apart")  # scored again: what was judged is kept
    assert contents(tmp_path / "apart") == apart


def test_own_rubrics_and_their_mistakes(
    scored: Callable[..., Path], command: Command, careful: str, tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    own.write_text('name = "mine"\nversion = "3"\nkind = "aspects_f1"\npartial = 0\ninstructions = "Compare them."\n')
    run = scored(5)
    call = ("judge", run, "--judge-model", "j", "--base-url", careful, "--rubric-file", own)
    command(*call)
    values = {row["id"]: row["value"] for row in rows_of(run, "judge_mine")}
    assert values == pytest.approx(
        {"r00000": 100.0, "r00001": 40.0, "r00002": 200 / 3, "r00003": 600 / 7, "r00004": 0.0}
    )
    assert [row["value"] for row in rows_of(run, "judge_mine.precision")] == [100.0, 100.0, 100.0, 100.0, 0.0]
    for change, told in (("kind", "unknown kind"), ("version", "is missing"), ("partial = 0", "is not TOML")):
        own.write_text(
            own.read_text().replace(change, {"kind": "kind", "version": "#", "partial = 0": "partial ="}[change])
        )
        own.write_text(own.read_text().replace("aspects_f1", "guess") if change == "kind" else own.read_text())
        assert told in command(*call, code=2).stderr
    assert "answer-match is not made for it" in command(*call[:-2], "--rubric", "answer-match", code=2).stderr


def test_a_dry_run_sends_nothing_and_a_limit_stops_in_time(
    scored: Callable[..., Path], command: Command, serve: Serve
) -> None:
    run, server = scored(30), serve("careful")
    call = ("judge", run, "--judge-model", "j", "--base-url", server.url, "--price-in", "1", "--price-out", "1",
            "--max-tokens", "300", "--format", "json_schema")  # fmt: skip
    before = contents(run)
    assert "30 of 30" in command(*call, "--dry-run").stdout
    assert contents(run) == before
    assert not server.outcomes()
    assert "max_cost" in command(*call, "--max-cost", "0.005", "--concurrency", "2", code=4).stderr
    paid = server.outcomes()["answered"]
    assert 0 < paid < 30
    done = command(*call)
    assert server.outcomes()["answered"] == 30
    assert "whose replies are worth" in done.stdout


def test_a_key_in_the_wrong_place_is_written_nowhere(scored: Callable[..., Path], command: Command) -> None:
    run, key = scored(2), "sk-0123456789abcdef"
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for wrong in (("--base-url", f"https://{key}@host/v1"), ("--api-key-env", key)):
        assert key not in command("judge", run, "--judge-model", "j", *wrong, code=2).stderr
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_what_was_paid_is_told_a_task_and_start_at_a_time(
    scored: Callable[..., Path], command: Command, serve: Serve, tmp_path: Path
) -> None:
    run, server = scored(4), serve("careful")
    call = ("judge", run, "--judge-model", "j", "--base-url", server.url, "--rubric", "aspects-recall,aspects-f1",
            "--format", "json_schema", "--price-in", "1", "--cache", tmp_path / "cache")  # fmt: skip
    command(*call)
    command(*call)
    command("judge", scored(4, "again"), *call[2:])
    paid = [
        [row["cost"] for row in map(json.loads, (place / "sessions.jsonl").read_text().splitlines()) if "judge" in row]
        for place in (run, tmp_path / "again")
    ]
    worth = [judge["usage"]["cost"] for judge in summary_of(run)["judges"]]
    assert sorted(paid[0]) == pytest.approx([0, 0, *sorted(worth)])
    assert min(worth) > 0
    assert paid[1] == [0, 0]
    assert [judge["usage"]["cost"] for judge in summary_of(tmp_path / "again")["judges"]] == worth


def test_options_of_a_judge_without_a_judge_are_refused(command: Command, tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", pairs(2))
    for call in (("score", file, "--task", "report_generation"), ("run", "--model", "random")):
        for name, value in (
            ("--judge-model", "j"),
            ("--base-url", "http://localhost:9/v1"),
            ("--rubric", "aspects-f1"),
        ):
            told = command(*call, "--out", tmp_path / "out", name, value, code=2).stderr
            assert "--judge is not given" in told
            assert ("-o base_url" in told) is (name == "--base-url")
    assert not (tmp_path / "out").exists()


def test_score_judges_too_and_runs_share_a_cache(command: Command, serve: Serve, tmp_path: Path) -> None:
    server = serve("careful")
    judge = ("--judge", "--judge-model", "j", "--base-url", server.url)
    file = write_jsonl(tmp_path / "a.jsonl", pairs(5))
    for out in ("one", "two"):
        command("score", file, "--task", "report_generation", "--scoring", "upstream", "--out", tmp_path / out, *judge,
                "--judge-option", f"cache={tmp_path / 'cache'}", "--judge-option", "format=json_schema")  # fmt: skip
    assert server.outcomes()["answered"] == 5
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
