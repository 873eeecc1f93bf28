"""The contract of a metric: per-sample statistics, and a pure aggregate of their sums.

Corpus metrics, strata and case-level resampling all follow from this one split: whatever subset of samples is
asked for, its value is ``aggregate(sum of the statistics of its samples)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Statistics = tuple[float, ...]
FloatArray = npt.NDArray[np.float64]
Direction = Literal["higher", "lower"]
Family = Literal["rate", "mean", "median", "corpus"]
Status = Literal["scored", "failed", "unscored", "not_applicable"]
SAME = 1e-9
"""Two values of one sample that lie no further apart are the same value."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one metric says of one sample.

    ``scored`` and ``failed`` carry statistics (``failed``: those of the worst value, for an answer that is an error,
    a refusal or unparsable); ``unscored`` (the scorer failed) and ``not_applicable`` (the metric is undefined on this
    reference) carry none. ``reason`` explains every status but ``scored``, where it may note a truncation or a stand-in
    value; ``quirk`` is the id of the reference's quirk that sets an upstream outcome apart from the corrected one.
    """

    status: Status
    statistics: Statistics | None = None
    reason: str = ""
    quirk: str = ""

    @staticmethod
    def scored(*statistics: float) -> Outcome:
        return Outcome("scored", tuple(float(value) for value in statistics))

    @staticmethod
    def failed(statistics: Statistics, reason: str) -> Outcome:
        return Outcome("failed", statistics, reason)

    @staticmethod
    def unscored(reason: str, quirk: str = "") -> Outcome:
        return Outcome("unscored", None, reason, quirk)

    @staticmethod
    def not_applicable(reason: str) -> Outcome:
        return Outcome("not_applicable", None, reason)

    def agrees(self, other: Outcome) -> bool:
        """Whether two outcomes have the same status and, for a mean or a rate, the same value."""
        if self.status != other.status or self.statistics is None or other.statistics is None:
            return self.status == other.status
        return abs(self.statistics[0] - other.statistics[0]) <= SAME


def ratio(sums: FloatArray) -> FloatArray:
    """Aggregate of means and rates: first statistic over second; (..., 2) -> (...), NaN where the second is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1], dtype=np.float64)


@dataclass(frozen=True)
class Metric:
    """A named metric.

    name: the name users see (``bleu1``, ``acc@0.2``); the same under both scorings.
    pair: the type of value it judges, one of those in ``m3dbench.metrics.pairs``.
    outcomes: judges a chunk of pairs, one Outcome a pair, in order. The value of a pair never depends on its chunk.
    worst, best: the ends of its range; worst is None where every pair has a worst value of its own.
    worst_statistics: statistics of the worst answer to this pair's reference; None where that cannot be known, since
    the metric is unscored on this pair whatever the answer.
    aggregate: sums of statistics (..., k) -> values (...); NaN where undefined.
    family: ``rate`` (0/1 successes over n) and ``mean`` (sum over n) have intervals of their own; so has ``median``
    (a distribution at rising points, its last one 1, then n; ``aggregate`` says where it crosses a half);
    ``corpus``: the rest.
    signature: library, version and options that the value depends on.
    chance: statistics that guessing gives on this pair, where that is known.
    unit: what the value counts; ``fraction`` for one that people read in per cent.
    """

    name: str
    pair: type[Any]
    outcomes: Callable[[Sequence[Any]], Iterable[Outcome]]
    worst_statistics: Callable[[Any], Statistics | None]
    signature: str
    direction: Direction = "higher"
    worst: float | None = 0.0
    best: float = 1.0
    family: Family = "mean"
    aggregate: Callable[[FloatArray], FloatArray] = ratio
    chance: Callable[[Any], Statistics] | None = None
    unit: str = "fraction"

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value; infinite on the side where there is no worst value for all."""
        if self.worst is None:
            return (self.best, math.inf) if self.direction == "lower" else (-math.inf, self.best)
        return min(self.worst, self.best), max(self.worst, self.best)

    def value(self, statistics: Statistics) -> float:
        """The metric of one sample alone."""
        return float(self.aggregate(np.asarray(statistics, dtype=np.float64)))


def each(judge: Callable[[Any], Outcome]) -> Callable[[Sequence[Any]], Iterable[Outcome]]:
    """Lift a function of one pair to chunks."""

    def outcomes(pairs: Sequence[Any]) -> Iterable[Outcome]:
        return map(judge, pairs)

    return outcomes


def worst_mean(worst: float) -> Callable[[Any], Statistics]:
    """Worst statistics of a mean or rate: the worst value, counted once."""

    def statistics(_: Any) -> Statistics:
        return (worst, 1.0)

    return statistics
