"""The parts without a server: headers, limits, money, digests."""

from __future__ import annotations

import asyncio
import base64
import json
from email.utils import formatdate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3dbench.chat.client import in_order
from m3dbench.chat.cost import BudgetReachedError, Ledger, Price, estimate
from m3dbench.chat.endpoint import Endpoint
from m3dbench.chat.limits import Limiter, duration, exhausted_for, retry_after
from m3dbench.chat.messages import ChatReply, ChatRequest, Usage
from m3dbench.chat.retry import Definite, Transient
from m3dbench.chat.wire import LostAnswer, failure, read_reply
from m3dbench.data.slices import png
from m3dbench.errors import UserError

HERE = Endpoint("m", "http://localhost:1/v1")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": formatdate(1030.0, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(900.0, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_how_long_a_server_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=lambda: 1000.0) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1.0), ("6m0s", 360.0), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("2", 2.0), ("", 0), ("x", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


def test_rate_limit_headers_say_when_there_is_room() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "3",
        "x-ratelimit-reset-requests": "9s",
        "x-ratelimit-remaining-tokens": "100",
        "x-ratelimit-reset-tokens": "2s",
    }
    assert exhausted_for(headers, 50) == 0
    assert exhausted_for(headers, 101) == 2
    assert exhausted_for({**headers, "x-ratelimit-remaining-requests": "0"}, 101) == 9
    assert exhausted_for({}, 10**9) == 0


def test_a_wait_that_the_server_asks_for_is_kept_whole() -> None:
    async def story() -> list[float]:
        now, slept = [0.0], []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            now[0] += seconds

        limiter = Limiter(cap=1, clock=lambda: now[0])
        limiter.pause(300)
        with pytest.MonkeyPatch.context() as changed:
            changed.setattr(asyncio, "sleep", sleep)
            async with limiter.slot() as taken:
                return [taken, *slept]

    assert asyncio.run(story()) == [300, 300]
    headers = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}
    assert exhausted_for(headers, 1) == 60


def test_the_limit_rises_slowly_and_halves_once_a_round() -> None:
    async def story() -> None:
        now = [0.0]
        limiter = Limiter(cap=16, start=4, clock=lambda: now[0])
        for _ in range(20):
            limiter.answered()
        assert limiter.limit == 16
        async with limiter.slot() as first, limiter.slot() as second:
            now[0] = 1.0
            limiter.overloaded(first)
            limiter.overloaded(second)
            assert limiter.limit == 8
        async with limiter.slot() as later:
            now[0] = 2.0
            limiter.overloaded(later + 0.5)
        assert limiter.limit == 4
        for _ in range(4):
            limiter.answered()
        assert 4.8 < limiter.limit < 5.1
        for _ in range(40):
            now[0] += 1
            limiter.overloaded(now[0])
        assert limiter.limit == 1

    asyncio.run(story())


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0.2, 3.0), st.booleans()), max_size=60), st.floats(0.5, 20))
def test_what_is_spent_never_passes_the_limit(requests: list[tuple[int, float, bool]], limit: float) -> None:
    """As long as no request takes more of its estimate than an earlier one did."""
    ledger = Ledger(Price(1000.0, 3000.0), limit)
    first = ledger.reserve(Usage(100, 10)) if limit > 0.2 else None
    assert first is not None
    ledger.settle(first, Usage(100, 10), Usage(300, 1))  # the worst ratio there is
    flying: list[tuple[float, Usage, Usage]] = []
    try:
        for size, ratio, lands in requests:
            planned = Usage(size, 10)
            while (reserved := ledger.reserve(planned)) is None:
                ledger.settle(*flying.pop())
            flying.append((reserved, planned, Usage(max(1, int(size * ratio)), 10)))
            if lands:
                ledger.settle(*flying.pop(0))
    except BudgetReachedError:
        assert not flying
    for item in flying:
        ledger.settle(*item)
    assert ledger.spent <= max(limit, 0.303) + 1e-9


def test_pictures_are_estimated_by_their_tiles() -> None:
    def tokens(side: int, **more: str) -> int:
        url = "data:image/png;base64," + base64.b64encode(png(np.zeros((side, side), dtype=np.uint8))).decode()
        content = [{"type": "image_url", "image_url": {"url": url, **more}}]
        return estimate(ChatRequest(({"role": "user", "content": content},))).prompt_tokens - 8

    assert tokens(512) == 85 + 170
    assert tokens(1024) == 85 + 4 * 170
    assert tokens(4096) == 85 + 4 * 170
    assert tokens(4096, detail="low") == 85


def test_a_digest_covers_all_that_decides_the_answer() -> None:
    one = ChatRequest(({"role": "user", "content": "é"},), {"seed": 1}, "a")
    same = ChatRequest(({"content": "é", "role": "user"},), {"seed": 1}, "b")
    others = [
        ChatRequest(({"role": "user", "content": "e"},), {"seed": 1}),
        ChatRequest(({"role": "user", "content": "é"},), {"seed": 2}),
        ChatRequest(({"role": "system", "content": "é"},), {"seed": 1}),
    ]
    digest = one.digest("here", "m")
    assert same.digest("here", "m") == digest
    assert (
        len({digest, one.digest("there", "m"), one.digest("here", "n"), *(o.digest("here", "m") for o in others)}) == 6
    )


def body(message: dict[str, object], finish: str = "stop", **more: object) -> str:
    return json.dumps({"choices": [{"message": message, "finish_reason": finish}], **more})


def test_answers_are_read_in_the_forms_that_servers_use() -> None:
    assert read_reply(body({"content": "yes"}, usage={"prompt_tokens": 3, "completion_tokens": None})).usage == Usage(
        3, 0
    )
    assert read_reply(body({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]})).text == "ab"
    assert read_reply(body({"content": None})).status == "ok"
    assert read_reply(body({"content": "half"}, "length")).finish_reason == "length"
    assert read_reply(body({"content": ""}, "length")).status == "failed"
    assert read_reply(body({"content": "", "refusal": "no"})).status == "refused"
    assert read_reply(body({"content": "I"}, "content_filter")).status == "refused"
    for lost in (
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{}]}',
        b'{"error": {"message": "x"}}',
    ):
        with pytest.raises(LostAnswer):
            read_reply(lost)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"message": "bad image"}, Definite),
        (400, {"message": "filtered", "code": "content_filter"}, Definite),
        (400, {"message": "no", "param": "temperature"}, UserError),
        (401, {"message": "no"}, UserError),
        (403, {"message": "no"}, UserError),
        (404, {"message": "no"}, UserError),
        (408, {}, Transient),
        (409, {}, Transient),
        (413, {"message": "large"}, Definite),
        (429, {"message": "slow down"}, Transient),
        (429, {"message": "pay", "code": "insufficient_quota"}, UserError),
        (500, {}, Transient),
        (503, {}, Transient),
        (529, {}, Transient),
    ],
)
def test_what_an_http_error_means(status: int, error: dict[str, str], kind: type[Exception]) -> None:
    found = failure(status, error, None, HERE, {"temperature": 0})
    assert type(found) is kind
    if isinstance(found, Transient):
        assert found.overload == (status in (429, 503, 529))
    if isinstance(found, Definite):
        assert found.refused == (error.get("code") == "content_filter")


@given(st.permutations(range(12)))
def test_replies_come_back_in_the_order_of_their_requests(order: list[int]) -> None:
    replies = in_order((index, ChatReply("ok", str(index))) for index in order)
    assert [reply.text for reply in replies] == [str(index) for index in range(12)]
