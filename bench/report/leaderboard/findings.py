"""What is stated held against what is recomputed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from m3dbench.runs.summary import MetricSummary

EXACT, ESTIMATED = 1e-9, 1e-6
LONGEST = 200
UNKNOWN_FROM_SCORES = ("chance", "signature", "worst")
"""Fields of a metric's summary that statistics per sample do not tell."""


@dataclass(frozen=True)
class Finding:
    """Something that does not hold. file: relative to the board. what: metric and field, or sample.
    recomputed: empty where ``stated`` says in words what is wrong."""

    file: str
    task: str
    what: str
    stated: str
    recomputed: str

    def __str__(self) -> str:
        if not self.recomputed:
            return f"{self.what}: {self.stated}"
        return f"{self.what}: stated {self.stated}, recomputed {self.recomputed}"


def metric_differences(
    stated: Collection[MetricSummary],
    found: Collection[MetricSummary],
    *,
    ignored: Collection[str] = UNKNOWN_FROM_SCORES,
    left_out: Collection[str] = (),
) -> Iterator[tuple[str, Any, Any]]:
    """(metric and field, stated, recomputed) for each difference. left_out: stratum dimensions not to look at."""
    ours = {(item.scoring, item.metric): item for item in found}
    for item in stated:
        other = ours.get((item.scoring, item.metric))
        if other is None:
            continue
        one, two = asdict(item), asdict(other)
        for dimension in left_out:
            one["strata"].pop(dimension, None)
            two["strata"].pop(dimension, None)
        for path, ours_is, theirs_is in differences(one, two, ignored):
            yield f"{item.metric} ({item.scoring}) {path}", ours_is, theirs_is


def differences(
    stated: Any, found: Any, ignored: Collection[str] = (), path: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """(path, stated, found) of every leaf in which two plain values differ."""
    if isinstance(stated, Mapping) and isinstance(found, Mapping):
        for name in dict.fromkeys([*stated, *found]):
            if name not in ignored:
                inner = f"{path}.{name}" if path else str(name)
                yield from differences(stated.get(name), found.get(name), ignored, inner)
    elif not _same(stated, found, ESTIMATED if "interval" in path or "spread" in path else EXACT):
        yield path, stated, found


def _same(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= tolerance * max(1.0, abs(one))
    return bool(one == other)


def told(value: Any) -> str:
    """A value in a finding."""
    if value is None:
        return "none"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
