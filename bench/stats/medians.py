"""Intervals of medians: Woodruff, by way of the interval of the distribution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from m3dbench.stats.linearise import Aggregate
from m3dbench.stats.rates import rate_interval
from m3dbench.stats.result import Bounds, Interval, check_level, finish, stratified


def median_interval(
    statistics: npt.ArrayLike, crossing: Aggregate, level: float = 0.95, *, bounds: Bounds | None = None
) -> Interval | None:
    """Interval of a median from the distribution it crosses.

    statistics: (cases, points + 1): per case, how many of its items lie at or below each of the rising points, then its
    items; at the last point all do, by construction. ``crossing``: such sums (..., points + 1) -> where they reach a
    half. A median is at or below a point exactly where at least half of the distribution is; so its limits are where
    the upper and the lower limits of that rate reach a half. None where ``rate_interval`` has none.
    Source: Woodruff 1952, JASA 47(260).
    """
    check_level(level)
    array = stratified(statistics, 2)
    counts = array[:, -1]
    lower, upper = np.ones(array.shape[1]), np.ones(array.shape[1])
    clusters = 0
    for point in range(array.shape[1] - 2):
        found = rate_interval(np.minimum(array[:, point], counts), counts, level)
        if found is None:
            return None
        lower[point], upper[point], clusters = found.low, found.high, found.clusters
    if array.shape[1] < 3:
        return None
    # Limits of rates need not rise with their points as the rates do.
    lower, upper = np.maximum.accumulate(lower), np.maximum.accumulate(upper)
    method = "Woodruff on Korn-Graubard"
    return finish(float(crossing(upper)), float(crossing(lower)), level, method, clusters, bounds)
