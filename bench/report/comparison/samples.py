"""The samples of two runs of a task, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from m3dbench.errors import UserError
from m3dbench.metrics.core import Statistics
from m3dbench.runs import jsonl
from m3dbench.runs.folder import TaskFolder
from m3dbench.runs.paired_scores import Key, statistics

Scored = dict[Key, Statistics]


def paired_samples(
    base: TaskFolder, candidate: TaskFolder, reordered: bool = False
) -> Iterator[tuple[dict[str, Any], Scored, Scored]]:
    """Each sample with the statistics of both runs, paired by id, in the order of the base's manifest.

    reordered: the candidate's samples may be others or in another order. A sample that it lacks has no statistics
    there; those that the base lacks come last, as an ``id`` alone. Raises UserError where scores do not follow their
    manifest.
    """
    ours, theirs = statistics(base), statistics(candidate)
    stored = dict(theirs) if reordered else {}
    for sample in jsonl.read(base.manifest):
        one = _next(ours, base, sample["id"])
        yield sample, one, stored.pop(sample["id"], {}) if reordered else _next(theirs, candidate, sample["id"])
    for sample_id, other in stored.items():
        yield {"id": sample_id}, {}, other


def _next(scores: Iterator[tuple[str, Scored]], folder: TaskFolder, sample_id: str) -> Scored:
    found, statistics_there = next(scores, ("", {}))
    if found != sample_id:
        raise UserError(
            "the scores do not follow the manifest", file=folder.scores, record=sample_id, fix="score the run again"
        )
    return statistics_there
