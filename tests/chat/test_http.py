"""The client over HTTP against a real server process: what is retried, what is definite, what stops the run."""

from __future__ import annotations

import json
import logging
import socket
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from chat_servers import Misbehaving, misbehaving

from m3dbench.chat.client import in_order
from m3dbench.chat.connect import connect
from m3dbench.chat.cost import BudgetReachedError, Ledger, Price
from m3dbench.chat.endpoint import Endpoint
from m3dbench.chat.http import HttpClient
from m3dbench.chat.messages import ChatReply, ChatRequest
from m3dbench.chat.retry import Policy
from m3dbench.chat.store import Log, Store
from m3dbench.errors import ExitCode, UserError

pytestmark = pytest.mark.enable_socket
FAST = Policy(first_s=0.01, longest_s=0.05)
KEY = "sk-secret-0123456789"


def ask(text: str, **options: object) -> ChatRequest:
    return ChatRequest(({"role": "user", "content": text},), {"max_tokens": 10, **options}, text)


def client(url: str, *, concurrency: int = 8, policy: Policy = FAST, **options: object) -> HttpClient:
    made = connect(str(options.pop("model", "m")), base_url=url, concurrency=concurrency, **options)  # type: ignore[arg-type]
    assert isinstance(made, HttpClient)
    made.policy = policy
    return made


def replies(made: HttpClient, requests: Iterable[ChatRequest]) -> list[ChatReply]:
    return list(in_order(made.complete(requests)))


def test_every_request_ends_once_whatever_goes_wrong(tmp_path: Path) -> None:
    with misbehaving(tmp_path, "--faults", 0.12, "--slow", 0.02, "--retry-after", 0.01) as server:
        made = client(server.url, concurrency=16)
        seen = Counter[int]()
        by_index = {}
        for index, reply in made.complete(ask(f"q{number}") for number in range(80)):
            seen[index] += 1
            by_index[index] = reply
        assert seen == Counter(range(80))
        assert set(server.answered().values()) == {1}
        statuses = Counter(reply.status for reply in by_index.values())
        assert statuses["failed"] == 0
        assert 2 < statuses["refused"] < 40
        refusal = next(reply for reply in by_index.values() if reply.status == "refused")
        assert "cannot help" in refusal.reason
        answer = next(reply for reply in by_index.values() if reply.text.startswith("You said"))
        assert (answer.model, answer.system_fingerprint, answer.finish_reason) == ("m-0001", "fp_misbehaving", "stop")
        assert answer.usage.prompt_tokens > 0
        assert max(reply.attempts for reply in by_index.values()) > 1


def test_equal_requests_are_sent_once_and_stored_ones_never(calm: Misbehaving, tmp_path: Path) -> None:
    made = client(calm.url, log=tmp_path / "log.jsonl", model="equal")
    before = len(calm.events())
    first = replies(made, [ask("same"), ask("same"), ask("other"), ask("same")])
    assert [reply.text for reply in first] == ["You said: same", "You said: same", "You said: other", "You said: same"]
    assert len(calm.events()) == before + 2
    again = client(calm.url, log=tmp_path / "log.jsonl", model="equal")
    assert replies(again, [ask("other"), ask("same")]) == [first[2], first[0]]
    assert len(calm.events()) == before + 2


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("500", "HTTP 500"),
        ("cut", "connection broke"),
        ("malformed", "not JSON"),
        ("empty", "no choice"),
        ("slow", "0.05 s"),
    ],
)
def test_what_never_passes_is_failed_with_its_reason(tmp_path: Path, kind: str, told: str) -> None:
    with misbehaving(tmp_path, "--fault", f"{kind}=1", "--patience", 99, "--slow", 600) as server:
        made = client(server.url, policy=Policy(attempts=3, first_s=0.01), timeout_s=0.05 if kind == "slow" else 120)
        (reply,) = replies(made, [ask("q")])
        assert (reply.status, reply.attempts) == ("failed", 3)
        assert told in reply.reason


def test_overload_lowers_the_number_on_their_way(tmp_path: Path) -> None:
    with misbehaving(tmp_path, "--at-once", 3, "--delay", 0.05, "--retry-after", 0.01) as server:
        made = client(server.url, concurrency=32)
        assert {reply.status for reply in replies(made, (ask(f"q{n}") for n in range(80)))} == {"ok"}
        outcomes = server.outcomes()
        assert outcomes["answered"] == 80
        assert 0 < outcomes["429"] < 80


def test_the_key_is_told_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MY_KEY", KEY)
    with misbehaving(tmp_path / "server", "--key", KEY) as server:
        made = client(server.url, log=tmp_path / "log.jsonl", cache=tmp_path / "cache", api_key_env="MY_KEY")
        assert replies(made, [ask("q")])[0].status == "ok"
        told = [repr(made), repr(made.endpoint), str(made.facts()), str(made.recorded()), caplog.text]
    with misbehaving(tmp_path / "other", "--key", "another") as server:
        made = client(server.url, api_key_env="MY_KEY")
        with pytest.raises(UserError) as caught:
            replies(made, [ask("q")])  # this server repeats the key in its message
        assert "MY_KEY" in str(caught.value)
        assert "wrong key" in str(caught.value)
        told += [str(caught.value), repr(caught.value), repr(caught.value.__context__)]
    told += [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(told) > 8
    assert not [text for text in told if KEY in text]


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key_env": KEY},
        {"api_key_env": KEY.replace("-", "_")},
        {"base_url": f"https://{KEY}@host/v1"},
        {"base_url": f"https://host/v1?key={KEY}"},
    ],
)
def test_a_key_in_the_wrong_place_is_refused_unrepeated(wrong: dict[str, str]) -> None:
    with pytest.raises(UserError) as caught:
        Endpoint("m", **{"base_url": "http://host/v1", **wrong})
    assert KEY not in str(caught.value)


def test_openai_itself_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match="OPENAI_API_KEY is not set"):
        connect("gpt-x")


def test_what_cannot_get_better_stops_the_run(tmp_path: Path) -> None:
    with misbehaving(tmp_path, "--model", "known", "--refuse-option", "seed") as server:
        for made, request, field in (
            (client(server.url, model="unknown"), ask("q"), "model"),
            (client(server.url, model="known"), ask("q", seed=1), "seed"),
        ):
            with pytest.raises(UserError) as caught:
                replies(made, [request])
            assert caught.value.field == field
            assert caught.value.fix
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))  # held, so that nobody else comes to listen there
            url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
            with pytest.raises(UserError, match="does not answer"):
                replies(client(url), [ask(f"q{number}") for number in range(20)])


def test_a_server_that_goes_away_ends_the_run_and_what_came_is_kept(tmp_path: Path) -> None:
    made = None
    got = []
    with misbehaving(tmp_path / "server") as server:
        made = client(server.url, concurrency=2, log=tmp_path / "log.jsonl", policy=Policy(attempts=3, first_s=0.01))
        answers = made.complete(ask(f"q{number}") for number in range(5000))
        got = [next(answers) for _ in range(20)]
    with pytest.raises(UserError, match="no longer answers"):
        for answer in answers:
            got.append(answer)
    assert 20 <= len(got) < 5000
    assert (tmp_path / "log.jsonl").read_text().count('"reply"') >= len(got)


def test_the_cost_stays_under_its_limit_and_the_run_can_go_on(tmp_path: Path) -> None:
    price = Price(input=1000.0, output=2000.0)
    with misbehaving(tmp_path / "server", "--fault", "malformed=0.1", "--price-tag", 3) as server:

        def made(limit: float) -> HttpClient:
            return client(server.url, log=tmp_path / "log.jsonl", price=price, max_cost=limit)

        first = made(3.0)
        got = []
        with pytest.raises(BudgetReachedError) as caught:
            for _, reply in first.complete(ask(f"q{number}") for number in range(200)):
                got.append(reply)
        assert caught.value.code is ExitCode.BUDGET_REACHED
        sent = len(server.events())
        real = sent * 60 * 1e-3 + sent * 5 * 2e-3  # every answer, lost ones too, is 3 * 20 tokens in and 5 out
        assert 1.5 < real <= 3.0
        assert (tmp_path / "log.jsonl").read_text().count('"reply"') == len(got)
        with pytest.raises(BudgetReachedError):
            list(made(3.0).complete(ask(f"q{number}") for number in range(200)))
        assert len(server.events()) - sent <= 4  # what was spent before counts
        assert len(replies(made(100.0), (ask(f"q{number}") for number in range(60)))) == 60


def test_closing_early_leaves_no_thread_behind(tmp_path: Path) -> None:
    import threading

    # A server of its own: what was on its way at the end is logged whenever the server comes to it.
    with misbehaving(tmp_path) as server:
        answers = client(server.url).complete(ask(f"q{number}") for number in range(50))
        next(answers)
        answers.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "m3dbench-chat"]


def test_two_processes_may_share_a_cache(calm: Misbehaving, tmp_path: Path) -> None:
    before = len(calm.events())
    for _ in range(2):
        shared = client(calm.url, cache=tmp_path / "cache", model="shared")
        assert [reply.text for reply in replies(shared, [ask("a"), ask("b")])] == ["You said: a", "You said: b"]
    assert len(calm.events()) == before + 2
    other = client(calm.url, cache=tmp_path / "cache", model="shared")
    replies(other, [ask("a", temperature=1)])
    assert len(calm.events()) == before + 3


def test_a_torn_log_is_mended(tmp_path: Path) -> None:
    store: Store = Log(tmp_path / "log")
    store.put("one", ChatReply("ok", "first"))
    store.put("two", ChatReply("ok", "second"))
    with (tmp_path / "log").open("r+b") as stream:
        stream.truncate((tmp_path / "log").stat().st_size - 5)
    mended = Log(tmp_path / "log")
    assert mended.get("one") == ChatReply("ok", "first")
    assert mended.get("two") is None
    mended.put("two", ChatReply("refused", reason="no"))
    assert Log(tmp_path / "log").get("two") == ChatReply("refused", reason="no")
    assert all(json.loads(line) for line in (tmp_path / "log").read_text().splitlines())


def test_a_cache_that_cannot_be_written_says_so_and_the_log_has_the_reply(calm: Misbehaving, tmp_path: Path) -> None:
    made = client(calm.url, log=tmp_path / "log", cache=tmp_path / "cache")
    digest = made.digest(ask("into no cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / digest[:2]).touch()
    with pytest.raises(UserError, match="cannot be") as caught:
        replies(made, [ask("into no cache")])
    assert caught.value.field == "cache"
    (kept,) = replies(client(calm.url, log=tmp_path / "log"), [ask("into no cache")])
    assert kept.status == "ok"
    assert calm.answered()[digest] <= 1


def test_a_limit_without_prices_is_refused() -> None:
    with pytest.raises(UserError, match="needs prices"):
        Ledger(max_cost=1.0)
