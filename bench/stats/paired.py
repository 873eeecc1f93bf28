"""Differences between two answers to the same items: the value of one less that of the other, with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m3dbench.stats.intervals import Family, interval
from m3dbench.stats.linearise import Aggregate
from m3dbench.stats.result import Bounds, FloatArray, Interval


@dataclass(frozen=True, slots=True)
class Difference:
    """first - second. ``first`` and ``second`` are the values on the shared items; NaN where undefined."""

    first: float
    second: float
    value: float
    interval: Interval | None


def paired_difference(
    family: Family,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    aggregate: Aggregate,
    seed: int,
    level: float = 0.95,
    *,
    bounds: Bounds | None = None,
) -> Difference:
    """Difference of a metric between two answers to the same items.

    first, second: (cases, k), sums over each case's items of the metric's statistics; the same items, so the same rows
    in the same order. ``bounds``: the metric's range. Rates and means, whose counts then agree, become one mean of
    differences per item (cluster-robust t); what remains is resampled as one aggregate of 2 k statistics. The interval
    is None under 10 cases. ValueError where the shapes differ.
    """
    one, other = (np.asarray(array, dtype=np.float64) for array in (first, second))
    if one.ndim != 2 or one.shape != other.shape:
        raise ValueError(f"expected two arrays (cases, k) of one shape, got {one.shape} and {other.shape}")
    values = [float(aggregate(array.sum(axis=0))) for array in (one, other)]
    span = None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])
    if family != "corpus" and one.shape[1] == 2 and np.array_equal(one[:, 1], other[:, 1]):
        sums = np.column_stack([one[:, 0] - other[:, 0], one[:, 1]])
        found = interval("mean", sums, aggregate, seed, level, bounds=span)
    else:
        found = interval("corpus", np.hstack([one, other]), _between(aggregate), seed, level, bounds=span)
    return Difference(values[0], values[1], values[0] - values[1], found)


def _between(aggregate: Aggregate) -> Aggregate:
    def difference(sums: FloatArray) -> FloatArray:
        k = sums.shape[-1] // 2
        return np.asarray(aggregate(sums[..., :k]) - aggregate(sums[..., k:]), dtype=np.float64)

    return difference
