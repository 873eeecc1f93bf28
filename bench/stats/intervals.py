"""Confidence intervals over cases: which method a metric's family gets.

Cases are the unit: statistics are first summed over the items of a case by the caller, and cases are taken
as independent.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from m3dbench.stats.linearise import Aggregate
from m3dbench.stats.means import mean_interval
from m3dbench.stats.medians import median_interval
from m3dbench.stats.rates import rate_interval
from m3dbench.stats.resampling import bootstrap_interval
from m3dbench.stats.result import MINIMUM_CASES, Bounds, Interval, stratified

__all__ = [
    "MINIMUM_CASES",
    "Bounds",
    "Interval",
    "bootstrap_interval",
    "interval",
    "macro_interval",
    "mean_interval",
    "median_interval",
    "rate_interval",
]

Family = Literal["rate", "mean", "median", "corpus"]


def interval(
    family: Family,
    statistics: npt.ArrayLike,
    aggregate: Aggregate,
    seed: int,
    level: float = 0.95,
    *,
    bounds: Bounds | None = None,
) -> Interval | None:
    """Interval of a metric from its per-case statistics (cases, k).

    ``rate``: Korn-Graubard; ``mean``: cluster-robust t, corrected for skewness; both of statistics (sum, count), k = 2
    and ``aggregate`` unused. ``median``: Woodruff, of a distribution and the count, see ``median_interval``.
    ``corpus``: studentised case bootstrap of ``aggregate``. ``bounds``: the metric's range.
    None under 10 contributing cases, or where the value or its variance is not defined. ValueError for other shapes.
    """
    array = np.asarray(statistics, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"statistics must be (cases, k), not {array.shape}")
    if family == "median":
        return median_interval(array, aggregate, level, bounds=bounds)
    return macro_interval(array[:, np.newaxis], aggregate, seed, level, family=family, bounds=bounds)


def macro_interval(
    statistics: npt.ArrayLike,
    aggregate: Aggregate,
    seed: int,
    level: float = 0.95,
    *,
    family: Family = "corpus",
    bounds: Bounds | None = None,
) -> Interval | None:
    """Interval of the macro average: mean over strata of the stratum's value.

    statistics: (cases, strata, k), zeros where a case has no item in a stratum; strata without any item are left out
    of the average. The same case may contribute to several strata: its parts are never treated as independent.
    Methods as in ``interval``, generalised: an item's weight is 1 / (strata * items of its stratum).
    None also where a stratum rests on one case: its variance cannot be known; and for medians, which have no method.
    """
    array = stratified(statistics, 3)
    if family == "median":
        return None
    if family != "corpus" and array.shape[2] != 2:
        raise ValueError(f"a {family} has statistics (sum, count), not {array.shape[2]} of them")
    if family == "rate":
        return rate_interval(array[..., 0], array[..., 1], level)
    if family == "mean":
        return mean_interval(array[..., 0], array[..., 1], level, bounds=bounds)
    return bootstrap_interval(array, aggregate, seed, level, bounds=bounds)
