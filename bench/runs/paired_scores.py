"""The scores of two runs of one task, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from m3dbench.metrics.core import Statistics
from m3dbench.runs import jsonl
from m3dbench.runs.folder import TaskFolder

Key = tuple[str, str]
"""Scoring and metric."""


def statistics(folder: TaskFolder) -> Iterator[tuple[str, dict[Key, Statistics]]]:
    """Sample id -> (scoring, metric) -> statistics, where there are any, in the order of the manifest."""
    for sample_id, rows in groupby(jsonl.read(folder.scores), key=lambda row: row["id"]):
        found: dict[Key, Statistics] = {}
        for row in rows:
            if "statistics" in row or row["value"] is not None:
                found[row["scoring"], row["metric"]] = tuple(row.get("statistics", (row["value"], 1.0)))
        yield sample_id, found
