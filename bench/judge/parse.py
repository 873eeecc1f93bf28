"""From a judge's reply to a verdict or the reason why there is none. Never raises, whatever the reply."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from m3dbench.judge.forms import VerdictError, check, in_range
from m3dbench.judge.rubric import Rubric

Failure = Literal["unparsable", "out of range", "refused"]
MAX_REPLY = 200_000
MAX_CANDIDATES = 200
THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
BLOCK = re.compile(r"```(?:json)?\s*\n?(.*?)```", re.DOTALL | re.IGNORECASE)
SCORE = re.compile(r"\bscore\W{0,10}?(-?\d+(?:[.,]\d+)?)(?:\s*/\s*(\d+)|\s*%)?", re.IGNORECASE)
NUMBER = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*(?:/\s*(\d+)|%)?\s*\.?\s*")
REFUSAL = re.compile(
    r"\s*(?:i['’]?m sorry|sorry\b|i (?:cannot|can['’]?t|am (?:unable|not able)|won['’]?t|must decline)|as an ai\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """verdict: in its one form (``m3dbench.judge.forms``), None with the failure and its reason."""

    verdict: dict[str, Any] | None = None
    failure: Failure | None = None
    reason: str = ""


def parse(reply: str, rubric: Rubric) -> Parsed:
    """The verdict in a reply.

    The whole reply as JSON; else the JSON objects in it that are verdicts, in code blocks or between words, which must
    all be the same one, since a reply may quote what it judges; else, where the kind is ``score``, the number after the
    word "score" or the reply's only content, likewise.
    """
    text = THOUGHT.sub("", reply[:MAX_REPLY]).strip()
    if not text:
        return Parsed(failure="unparsable", reason="the reply is empty")
    found: list[dict[str, Any]] = []
    problem: VerdictError | None = None
    for value in _values(text):
        try:
            verdict = check(rubric.kind, value, rubric.scale)
        except VerdictError as error:
            # The first complaint about an object is the one to tell: the later candidates are its parts.
            problem = problem or error
            continue
        if verdict not in found:
            found.append(verdict)
    if not found and rubric.kind == "score":
        try:
            found = [{"score": score} for score in _scores(text, rubric)]
        except VerdictError as error:
            problem = error
    if len(found) == 1:
        return Parsed(found[0])
    if found:
        return Parsed(failure="unparsable", reason="the reply holds several different verdicts")
    if REFUSAL.match(text):
        return Parsed(failure="refused", reason="the judge declined")
    if problem is None:
        return Parsed(failure="unparsable", reason="the reply holds no verdict")
    failure: Failure = "out of range" if problem.kind == "out of range" else "unparsable"
    return Parsed(failure=failure, reason=str(problem))


def _values(text: str) -> Iterator[Any]:
    """JSON values: the whole text, or the outermost objects in it."""
    try:
        yield json.loads(text, parse_constant=_no_number)
        return
    except (ValueError, RecursionError):
        pass
    decoder = json.JSONDecoder(parse_constant=_no_number)
    for piece in [*(block.strip() for block in BLOCK.findall(text)), text]:
        place, tried = piece.find("{"), 0
        while place >= 0 and tried < MAX_CANDIDATES:
            tried += 1
            try:
                value, end = decoder.raw_decode(piece, place)
                yield value
            except (ValueError, RecursionError):
                end = place + 1
            place = piece.find("{", end)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _scores(text: str, rubric: Rubric) -> list[float]:
    """The different scores that a text names. Raises VerdictError when one is out of range."""
    whole = NUMBER.fullmatch(text)
    told = [whole.groups()] if whole else SCORE.findall(text)
    scores: list[float] = []
    for number, out_of in told:
        if out_of and float(out_of) != rubric.scale.maximum:
            raise VerdictError(f"the score is out of {out_of[:20]}, not of {rubric.scale.maximum:g}", "out of range")
        score = in_range(number.replace(",", "."), rubric.scale)
        if score not in scores:
            scores.append(score)
    return scores
