"""Intervals of means: cluster-robust t, corrected for skewness."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from m3dbench.stats.clusters import fit_clusters
from m3dbench.stats.result import MINIMUM_CASES, Bounds, Interval, check_level, constant_interval, finish
from m3dbench.stats.skewness import skew_limits, student_quantile


def mean_interval(
    sums: npt.ArrayLike,
    counts: npt.ArrayLike,
    level: float = 0.95,
    *,
    bounds: Bounds | None = None,
    skew_corrected: bool = True,
) -> Interval | None:
    """Interval of a mean sum(sums) / sum(counts), or of the macro average of several strata's means.

    sums, counts: per case, (cases,) or (cases, strata). ``bounds`` is the range of the metric. None under 10 cases,
    or where ``fit_clusters`` has none (see there for the formula: CR2 variance, Bell-McCaffrey df).

    ``skew_corrected``: the wider, on each side, of the t limits and those of Hall's transformation with the skewness
    of the cases' contributions. The plain t covers about 92% at 30 cases for Dice with failures or for sentence BLEU.
    Symmetric data give the plain t interval.
    """
    check_level(level)
    fit = fit_clusters(sums, counts)
    if fit is None or fit.cases < MINIMUM_CASES:
        return None
    if fit.variance == 0.0:
        return constant_interval(fit.value, fit.cases, level, bounds)
    error, quantile = float(np.sqrt(fit.variance)), student_quantile(fit.df, level)
    skewness = fit.skewness if skew_corrected else 0.0
    low, high = skew_limits(fit.value, error, skewness, quantile)
    method = "cluster-robust t (CR2)" + (", skewness-corrected" if skew_corrected else "")
    return finish(low, high, level, method, fit.cases, bounds)
