"""Intervals of any aggregate of sums: jackknife and studentised case bootstrap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from m3dbench.stats.linearise import Aggregate, difference_steps, gradient, macro_value
from m3dbench.stats.result import (
    MINIMUM_CASES,
    Bounds,
    FloatArray,
    Interval,
    check_level,
    constant_interval,
    contributing,
    finish,
    stratified,
)
from m3dbench.stats.skewness import skew_limits, student_quantile

REPLICATES = 2000
BLOCK_ELEMENTS = 1_000_000


def bootstrap_interval(
    statistics: npt.ArrayLike,
    aggregate: Aggregate,
    seed: int,
    level: float = 0.95,
    *,
    replicates: int = REPLICATES,
    bounds: Bounds | None = None,
) -> Interval | None:
    """Interval of aggregate(sum over cases), or of its mean over strata.

    statistics: (cases, k) or (cases, strata, k), per-case sums; aggregate: (..., k) -> (...), NaN where undefined.
    The wider, on each side, of (a) the studentised case bootstrap with the jackknife standard error, each replicate
    studentised by its linearised error, and (b) jackknife t limits corrected for skewness (Hall). Neither alone holds
    its level for corpus BLEU and for pooled ratios alike (benchmarks/coverage.py). If more than half the replicates
    have no value, (b) alone, and ``method`` says so.

    Deterministic from ``seed`` and indifferent to the order of cases; memory is flat in ``replicates``. None under
    10 cases, and where the value, or the value without some one case, is not finite. ValueError for replicates < 100.
    Source: Efron and Tibshirani 1993, ch. 11 and 12.5; Davison and Hinkley 1997, sec. 2.7.
    """
    check_level(level)
    if replicates < 100:
        raise ValueError("fewer than 100 replicates say nothing about tails")
    x = contributing(stratified(statistics, 3))
    cases = len(x)
    if cases < MINIMUM_CASES or not np.isfinite(x).all():
        return None
    x = x[np.lexsort(x.reshape(cases, -1).T)]
    total = x.sum(axis=0)
    value = float(macro_value(total, aggregate))
    # In blocks too: leave-one-out sums are as large as the statistics, their intermediates larger.
    left_out = np.concatenate([macro_value(total - part, aggregate) for part in _parts(x)])
    if not (np.isfinite(value) and np.isfinite(left_out).all()):
        return None
    influence = left_out.mean() - left_out
    squares = float(influence @ influence)
    error = float(np.sqrt(squares * (cases - 1) / cases))
    if error <= 1e-12 * max(abs(value), 1e-300):
        return constant_interval(value, cases, level, bounds)
    skewness = float((influence**3).sum() / squares**1.5)
    low, high = skew_limits(value, error, skewness, student_quantile(cases - 1, level))
    method = "jackknife t, skewness-corrected"
    t = _studentised(x, aggregate, value, error, np.random.default_rng(seed), replicates)
    if len(t) > replicates / 2:
        lower, upper = np.quantile(t, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
        low, high = min(low, value - error * upper), max(high, value - error * lower)
        method = "studentised case bootstrap and " + method
    return finish(low, high, level, method, cases, bounds)


def _parts(x: FloatArray) -> Iterator[FloatArray]:
    rows = max(1, BLOCK_ELEMENTS // x[0].size)
    return (x[start : start + rows] for start in range(0, len(x), rows))


def _studentised(
    x: FloatArray, aggregate: Aggregate, value: float, error: float, rng: np.random.Generator, replicates: int
) -> FloatArray:
    """Finite values of (replicate - value) / error of the replicate, at most (replicates,)."""
    cases, flat, steps = len(x), x.reshape(len(x), -1), difference_steps(x)
    block = max(1, min(replicates, BLOCK_ELEMENTS // max(cases, x[0].size)))
    found = []
    for start in range(0, replicates, block):
        size = min(block, replicates - start)
        drawn = rng.integers(cases, size=(size, cases)) + cases * np.arange(size)[:, np.newaxis]
        weights = np.bincount(drawn.ravel(), minlength=size * cases).reshape(size, cases).astype(np.float64)
        sums = (weights @ flat).reshape(size, *x.shape[1:])
        # Replicates without a value are NaN throughout and dropped at the end.
        with np.errstate(all="ignore"):
            influence = gradient(sums, aggregate, steps).reshape(size, -1) @ flat.T
            centre = (weights * influence).sum(axis=1, keepdims=True) / cases
            variance = (weights * (influence - centre) ** 2).sum(axis=1) * cases / (cases - 1)
            # A replicate of few distinct cases can have next to no error; its quotient would be all noise.
            spread = np.maximum(np.sqrt(variance), 0.1 * error)
            found.append((macro_value(sums, aggregate) - value) / spread)
    t: FloatArray = np.concatenate(found)
    finite: FloatArray = t[np.isfinite(t)]
    return finite
