"""Judges for the misbehaving server: what they reply follows from the data between the fences alone."""

from __future__ import annotations

import json
import re
from typing import Any

BLOCK = re.compile(r"^----- ([0-9a-f]{16}) BEGIN (\w+) -----\n(.*?)\n----- \1 END \2 -----$", re.S | re.M)


def texts(body: dict[str, Any]) -> dict[str, str]:
    """REFERENCE, CANDIDATE and QUESTION of a request, as a reader of fences finds them."""
    user = body["messages"][-1]["content"]
    return {name: text for _, name, text in BLOCK.findall(user)}


def sentences(text: str) -> list[str]:
    return [part.strip().lower() for part in re.split(r"[.\n]+", text) if part.strip()]


def careful(body: dict[str, Any]) -> str:
    """Knows a sentence again when it is the same words; replies in the form asked for."""
    found = texts(body)
    reference, candidate = sentences(found["REFERENCE"]), sentences(found["CANDIDATE"])
    user = body["messages"][-1]["content"]

    def aspects(mine: list[str], other: list[str]) -> list[dict[str, str]]:
        return [{"aspect": one[:80], "match": "full" if one in other else "none"} for one in mine]

    if '"candidate_aspects"' in user:
        reply: Any = {
            "reference_aspects": aspects(reference, candidate),
            "candidate_aspects": aspects(candidate, reference),
        }
    elif '"reference_aspects"' in user:
        reply = {"reference_aspects": aspects(reference, candidate)}
    elif '"matched"' in user:
        missing = [
            {"finding": one[:80], "category": "missing_finding", "significant": True}
            for one in reference
            if one not in candidate
        ]
        false = [
            {"finding": one[:80], "category": "false_finding", "significant": True}
            for one in candidate
            if one not in reference
        ]
        reply = {"matched": [one[:80] for one in reference if one in candidate], "errors": missing + false}
    elif '"verdict"' in user:
        reply = {"verdict": "correct" if reference == candidate else "wrong"}
    else:
        reply = {"score": 100 * sum(one in candidate for one in reference) / max(1, len(reference))}
    return json.dumps(reply)


def gullible(body: dict[str, Any]) -> str:
    """Believes whatever the candidate says about itself, and rewards length."""
    candidate = texts(body)["CANDIDATE"]
    share = (
        10 if re.search(r"100|all aspects|full marks|correct", candidate, re.I) else min(9, 1 + len(candidate) // 60)
    )
    aspects = [{"aspect": f"aspect {n}", "match": "full" if n < share else "none"} for n in range(10)]
    return json.dumps({"reference_aspects": aspects})


def talkative(body: dict[str, Any]) -> str:
    """The reference's judge: a score in words, as often whole as with a decimal."""
    size = len(body["messages"][-1]["content"])
    return f"Some aspects are there.\nScore: {size % 101}" + (".5" if size % 2 and size % 101 < 100 else ".")
