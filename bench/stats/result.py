"""What an interval is, and what every interval function does with its cases and limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

FloatArray = npt.NDArray[np.float64]
Bounds = tuple[float, float]

MINIMUM_CASES = 10


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval.

    low, high: the limits. level: nominal coverage in (0, 1). method: how it was computed, for people to read.
    clusters: number of cases it rests on, those that contribute at least one item.
    """

    low: float
    high: float
    level: float
    method: str
    clusters: int


def check_level(level: float) -> None:
    """Raise ValueError unless 0 < level < 1."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie between 0 and 1, not {level}")


def stratified(values: npt.ArrayLike, dimensions: int) -> FloatArray:
    """``values`` as floats with ``dimensions`` axes, cases first; a missing second axis is made, of one stratum.

    Raises ValueError for any other number of axes.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == dimensions - 1:
        array = array[:, np.newaxis]
    if array.ndim != dimensions:
        raise ValueError(f"expected {dimensions - 1} or {dimensions} axes, got {array.ndim}")
    return array


def contributing(statistics: FloatArray) -> FloatArray:
    """(cases, strata, k) without the cases and strata in which every statistic is zero: they add nothing to any sum."""
    used = statistics != 0.0
    kept: FloatArray = statistics[used.any(axis=(1, 2))][:, used.any(axis=(0, 2))]
    return kept


def finish(low: float, high: float, level: float, method: str, clusters: int, bounds: Bounds | None) -> Interval | None:
    """The interval clipped to ``bounds``; None if a limit is not a number."""
    if np.isnan(low) or np.isnan(high):
        return None
    if bounds is not None:
        low, high = (float(np.clip(limit, *bounds)) for limit in (low, high))
    return Interval(float(low), float(high), level, method, clusters)


def constant_interval(value: float, clusters: int, level: float, bounds: Bounds | None) -> Interval | None:
    """All cases agree, so no variance can be estimated.

    With bounds: with the stated confidence at most a share q = 1 - (alpha/2)^(1/cases) of all cases (Clopper-Pearson
    for none seen in ``clusters``) differs from ``value``, and those lie within the bounds; so the mean is at most q of
    the way towards either bound (for an aggregate that is no mean, a rule of thumb). Without bounds nothing can be
    said and the interval has no width; with an infinite bound there is none.
    """
    if bounds is None:
        return Interval(value, value, level, "degenerate (no variance)", clusters)
    if not np.isfinite(bounds).all():
        return None
    low, high = min(bounds[0], value), max(bounds[1], value)
    share = float(special.betaincinv(1.0, clusters, (1.0 + level) / 2.0))
    method = "Clopper-Pearson on cases (no variance)"
    return Interval(value - share * (value - low), value + share * (high - value), level, method, clusters)
