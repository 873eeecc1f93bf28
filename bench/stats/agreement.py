"""Agreement of two raters: rank correlations and weighted kappa, with percentile intervals by case bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from m3dbench.stats.result import MINIMUM_CASES, FloatArray, Interval, check_level

REPLICATES = 1000
BANDS = 5


@dataclass(frozen=True, slots=True)
class Agreement:
    """A coefficient, -1 to 1, None where it is undefined (a rater who says the same of all), and its interval."""

    name: str
    value: float | None
    interval: Interval | None
    items: int
    cases: int


def spearman(first: FloatArray, second: FloatArray) -> float:
    """Spearman's rank correlation; NaN where a rater is constant."""
    return _quiet(lambda: float(stats.spearmanr(first, second).statistic), first, second)


def kendall(first: FloatArray, second: FloatArray) -> float:
    """Kendall's tau-b; NaN where a rater is constant."""
    return _quiet(lambda: float(stats.kendalltau(first, second).statistic), first, second)


def _quiet(compute: Callable[[], float], first: FloatArray, second: FloatArray) -> float:
    return compute() if np.ptp(first) > 0 and np.ptp(second) > 0 else float("nan")


def weighted_kappa(first: FloatArray, second: FloatArray, low: float = 0.0, high: float = 100.0) -> float:
    """Cohen's kappa with quadratic weights over ``BANDS`` equal bands of the scale; NaN where chance agrees fully.

    Source: Cohen 1968.
    """
    one, two = (_banded(values, low, high) for values in (first, second))
    observed = float(((one - two) ** 2).mean())
    # The mean over all pairs of one rater's item with another's, without making them.
    expected = float((one**2).mean() + (two**2).mean() - 2 * one.mean() * two.mean())
    return 1.0 - observed / expected if expected > 1e-12 else float("nan")


def _banded(values: FloatArray, low: float, high: float) -> FloatArray:
    bands = np.floor((values - low) / (high - low) * BANDS)
    return np.clip(bands, 0, BANDS - 1).astype(np.float64)


def agreement(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    cases: Sequence[str],
    seed: int,
    level: float = 0.95,
    scale: tuple[float, float] = (0.0, 100.0),
) -> list[Agreement]:
    """Spearman, Kendall's tau-b and weighted kappa between two raters of the same items, (items,) each.

    Cases are resampled as wholes; under 10 cases, or where more than half the replicates are undefined, there is no
    interval. Raises ValueError where the lengths differ.
    """
    check_level(level)
    x, y = (np.asarray(values, dtype=np.float64) for values in (first, second))
    if not len(x) == len(y) == len(cases):
        raise ValueError("two ratings and a case are needed for every item")
    measures: dict[str, Callable[[FloatArray, FloatArray], float]] = {
        "Spearman": spearman,
        "Kendall": kendall,
        "weighted kappa": lambda a, b: weighted_kappa(a, b, *scale),
    }
    members = [np.flatnonzero(np.asarray(cases) == case) for case in dict.fromkeys(cases)]
    rng = np.random.default_rng(seed)
    draws = []
    if len(members) >= MINIMUM_CASES:
        chosen = rng.integers(len(members), size=(REPLICATES, len(members)))
        draws = [np.concatenate([members[case] for case in row]) for row in chosen]
    found = []
    for name, measure in measures.items():
        value = measure(x, y) if len(x) > 1 else float("nan")
        replicates = np.array([measure(x[rows], y[rows]) for rows in draws])
        known = replicates[np.isfinite(replicates)]
        interval = None
        if np.isfinite(value) and len(known) > REPLICATES / 2:
            low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
            interval = Interval(float(low), float(high), level, "percentile case bootstrap", len(members))
        found.append(Agreement(name, value if np.isfinite(value) else None, interval, len(x), len(members)))
    return found
