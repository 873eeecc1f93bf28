"""Why samples failed or went unscored, counted by message: the file that a reason names makes no reason of its own."""

from __future__ import annotations

from collections import Counter

PLACES = ("; file: ", "; record: ", "; field: ", "; fix: ")
"""Where the message of an error of ours ends and its places begin, once it is on one line."""


class Reasons:
    """Counts by message, each with the first reason in full; memory depends on the number of messages alone."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, reason: str) -> None:
        head = reason[: min((at for mark in PLACES if (at := reason.find(mark)) >= 0), default=len(reason))]
        self._counts[head] += 1
        self._first.setdefault(head, reason)

    def to_json(self) -> dict[str, int]:
        """Reason -> how often, sorted; what came several times names the first place."""
        told = {}
        for head, count in sorted(self._counts.items()):
            first = self._first[head]
            places = first[len(head) :].removeprefix("; ")
            told[f"{head}; first {places}" if count > 1 and places else first] = count
        return told
