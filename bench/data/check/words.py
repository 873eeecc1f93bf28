"""Texts looked at: empty, garbled, questions that contain their answer."""

from __future__ import annotations

import re

from m3dbench.metrics.names import words

FEWEST_CHARACTERS = 5
"""M3D's preparation takes a section with fewer characters for empty."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NO_ANSWER = {"yes", "no", "none", "na", "normal", "both"}
"""Answers that a question may contain without giving them away."""


def garbled(text: str) -> str:
    """What is wrong with a text's characters; empty where nothing is."""
    if "�" in text:
        return "holds the replacement character U+FFFD: its encoding was lost"
    if found := _CONTROL.search(text):
        return f"holds the control character U+{ord(found.group()):04X}"
    if mended := _double_encoded(text):
        return f"was encoded twice: {mended[0]!r} stands for {mended[1]!r}"
    visible = "".join(text.split())
    letters = sum(map(str.isalpha, visible))
    if len(visible) >= 20 and letters < len(visible) / 3:
        return "is hardly made of letters"
    return ""


def _double_encoded(text: str) -> tuple[str, str] | None:
    """A run of characters that is UTF-8 read as CP1252, and what it was."""
    for match in re.finditer(r"[^\x00-\x7f]+", text):
        try:
            mended = match.group().encode("cp1252").decode("utf-8")
        except (UnicodeEncodeError, UnicodeDecodeError):
            continue
        return match.group(), mended
    return None


def contains_answer(question: str, answer: str, others: list[str]) -> bool:
    """Whether the question holds the answer as consecutive whole words, and none of the other choices."""
    asked, right = words(question), words(answer)
    if not right or " ".join(right) in _NO_ANSWER or " ".join(right).isdigit():
        return False
    return _within(right, asked) and not any(_within(words(other), asked) for other in others)


def _within(part: list[str], whole: list[str]) -> bool:
    return bool(part) and any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))
