"""First-order behaviour of an aggregate of sums, averaged over strata."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from m3dbench.stats.result import FloatArray

Aggregate = Callable[[FloatArray], FloatArray]


def macro_value(sums: FloatArray, aggregate: Aggregate) -> FloatArray:
    """(..., strata, k) -> (...): mean over strata of the aggregate. NaN where a stratum has no value."""
    with np.errstate(all="ignore"):
        return np.asarray(np.asarray(aggregate(sums), dtype=np.float64).mean(axis=-1), dtype=np.float64)


def gradient(sums: FloatArray, aggregate: Aggregate, steps: FloatArray) -> FloatArray:
    """Central differences of ``macro_value``: sums (..., strata, k), steps (strata, k) > 0 -> (..., strata, k).

    A stratum's value depends on its own sums alone, so one coordinate is moved in all strata at once: 2 k calls.
    """
    strata, k = steps.shape
    slopes = np.empty_like(sums)
    with np.errstate(all="ignore"):
        for j in range(k):
            move = np.zeros((strata, k))
            move[:, j] = steps[:, j]
            difference = np.asarray(aggregate(sums + move)) - np.asarray(aggregate(sums - move))
            slopes[..., j] = difference / (2.0 * strata * steps[:, j])
    return slopes


def difference_steps(statistics: FloatArray) -> FloatArray:
    """Steps for ``gradient``, a thousandth of the scale on which sums vary: (cases, strata, k) -> (strata, k)."""
    scale = np.sqrt((statistics**2).sum(axis=0))
    return np.asarray(np.where(scale > 0.0, 1e-3 * scale, 1.0), dtype=np.float64)
