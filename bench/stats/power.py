"""How many cases a difference needs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

LARGEST = 10_000_000


def case_spread(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Standard deviation over cases of what each contributes to a difference of means or rates.

    first, second: (cases, 2), sums and counts, the counts equal. A case contributes (d - D n) / mean n, with d its
    summed difference, n its items and D the overall difference; so the standard error over C cases is spread / sqrt(C).
    """
    one, other = (np.asarray(array, dtype=np.float64) for array in (first, second))
    changes, counts = one[:, 0] - other[:, 0], one[:, 1]
    overall = changes.sum() / counts.sum()
    contributions = (changes - overall * counts) / counts.mean()
    return float(contributions.std(ddof=1))


def power(cases: int, spread: float, difference: float, alpha: float = 0.05) -> float:
    """Chance that a one-sided paired t test over ``cases`` finds a true ``difference`` of that ``spread``."""
    if spread == 0:
        return 1.0
    freedom = cases - 1
    critical = stats.t.ppf(1 - alpha, freedom)
    return float(stats.nct.sf(critical, freedom, difference * np.sqrt(cases) / spread))


def cases_needed(spread: float, difference: float, target: float = 0.8, alpha: float = 0.05) -> int | None:
    """The fewest cases, at least 10, with which a difference is found with probability ``target``.

    None for a difference so small that ten million cases would not do. ValueError for one that is not positive.
    """
    if difference <= 0:
        raise ValueError(f"the difference to find must be positive, not {difference}")
    low, high = 10, 10
    while power(high, spread, difference, alpha) < target:
        low, high = high, 2 * high
        if high > LARGEST:
            return None
    while low < high:
        middle = (low + high) // 2
        if power(middle, spread, difference, alpha) < target:
            low = middle + 1
        else:
            high = middle
    return high
