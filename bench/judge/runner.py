"""Putting pairs to a judge: attempts in rounds, every judgement journalled the moment it is final."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m3dbench.chat.client import Client
from m3dbench.chat.messages import NOTHING, ChatReply, ChatRequest
from m3dbench.judge.identity import Judge
from m3dbench.judge.parse import parse
from m3dbench.judge.prompt import messages
from m3dbench.judge.rubric import Rubric
from m3dbench.metrics.pairs import JudgedPair
from m3dbench.runs import jsonl
from m3dbench.runs.journal import Journal, mend


@dataclass(frozen=True)
class Item:
    """A pair to judge. key: of the judgement. name: for people, a sample id. judge: may ask in a way of its own."""

    key: str
    name: str
    pair: JudgedPair
    judge: Judge
    rubric: Rubric


@dataclass(frozen=True)
class _Try:
    """most: replies after which a pair is given up. replies: those before, of no use. problem: of the last of them."""

    item: Item
    most: int
    replies: tuple[dict[str, Any], ...] = ()
    problem: str = ""

    def request(self) -> ChatRequest:
        item, attempt = self.item, len(self.replies)
        built = messages(item.rubric, item.pair, item.judge.asking, self.problem)
        return ChatRequest(built, item.judge.options(item.rubric, attempt), key=item.name)


def run_items(
    items: Iterable[Item],
    client: Client,
    path: Path,
    advance: Callable[[int], None],
    *,
    retry_unscored: bool = False,
) -> None:
    """Judge every item that the journal at ``path`` does not hold; each ends there once, scored or unscored.

    retry_unscored: those that it holds as unscored are asked again, with seeds that they have not been asked with, and
    get another row behind the first, with all their replies.

    Replies of no use (unparsable, out of range, refused) are asked again up to the judge's ``attempts``, after all
    others had their turn. A request that the client gave up is final: its own policy has tried again. What stops the
    client (budget, key) propagates; nothing that was judged is lost.
    """
    done = {row["id"]: row["status"] for row in mend(path, lambda _: True)}
    earlier: dict[str, dict[str, Any]] = {}
    if retry_unscored and done:
        earlier = {row["id"]: row for row in jsonl.read(path) if done[row["id"]] == "unscored"}
    with Journal(path) as journal:
        turn: Iterable[_Try] = _left(items, done, earlier, advance)
        while True:
            again: list[_Try] = []
            for one, reply in _answers(turn, client):
                row, problem = _judged(one, reply)
                if problem and len(row["replies"]) < one.most:
                    again.append(_Try(one.item, one.most, tuple(row["replies"]), problem))
                else:
                    journal.append(row)
                    advance(1)
            if not again:
                return
            turn = again


def _left(
    items: Iterable[Item],
    done: Container[str],
    earlier: Mapping[str, Mapping[str, Any]],
    advance: Callable[[int], None],
) -> Iterator[_Try]:
    for item in items:
        if row := earlier.get(item.key):
            problem = row["reason"] if row["failure"] != "failed" else ""
            yield _Try(item, len(row["replies"]) + item.judge.attempts, tuple(row["replies"]), problem)
        elif item.key in done:
            advance(1)
        else:
            yield _Try(item, item.judge.attempts)


def _answers(turn: Iterable[_Try], client: Client) -> Iterator[tuple[_Try, ChatReply]]:
    waiting: dict[int, _Try] = {}

    def requests() -> Iterator[ChatRequest]:
        for index, one in enumerate(turn):
            waiting[index] = one
            yield one.request()

    for index, reply in client.complete(requests()):
        yield waiting.pop(index), reply


def _judged(one: _Try, reply: ChatReply) -> tuple[dict[str, Any], str]:
    """The journal's row if this reply is the last, and what was wrong with it where another may do better."""
    item = one.item
    told = {"text": reply.text, "usage": [reply.usage.prompt_tokens, reply.usage.completion_tokens]}
    told |= {name: value for name in ("model", "finish_reason") if (value := getattr(reply, name))}
    row: dict[str, Any] = {"id": item.key, "name": item.name, "judge": item.judge.digest(item.rubric)}
    if reply.status == "failed":
        used = [told] if reply.usage != NOTHING else []
        unscored = {"status": "unscored", "failure": "failed", "reason": reply.reason or "no reason given"}
        return {**row, **unscored, "replies": [*one.replies, *used]}, ""
    parsed = parse(reply.text, item.rubric) if reply.status == "ok" else None
    row["replies"] = [*one.replies, told]
    if parsed is not None and parsed.verdict is not None:
        return {**row, "status": "scored", "verdict": parsed.verdict}, ""
    failure = parsed.failure if parsed is not None and parsed.failure else "refused"
    reason = parsed.reason if parsed is not None else reply.reason or "the judge declined"
    if reply.finish_reason == "length":
        reason += "; the reply was cut at max_tokens"
    return {**row, "status": "unscored", "failure": failure, "reason": reason}, reason
