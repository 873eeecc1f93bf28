"""Limits of a studentised estimate, corrected for skewness."""

from __future__ import annotations

import numpy as np
from scipy import special


def student_quantile(df: float, level: float) -> float:
    """The (1 + level) / 2 quantile of Student's t."""
    return float(special.stdtrit(df, (1.0 + level) / 2.0))


def hall_limits(value: float, error: float, skewness: float, quantile: float) -> tuple[float, float]:
    """Limits from Hall's monotone cubic transformation of T = (estimate - truth) / error.

    g(T) = T + k T^2 / 3 + k^2 T^3 / 27 + k / 6, with k the skewness of the estimate, is symmetric to first order, and
    its inverse is T = 3 / k ((1 + k (y - k / 6))^(1/3) - 1). Source: Hall 1992, JRSS B 54(1).
    ``quantile`` (of Student's t, say) is positive, ``error`` not negative.
    """

    def inverse(y: float) -> float:
        if abs(skewness) < 1e-8:
            return y
        return float(3.0 / skewness * (np.cbrt(1.0 + skewness * (y - skewness / 6.0)) - 1.0))

    return value - error * inverse(quantile), value - error * inverse(-quantile)


def skew_limits(value: float, error: float, skewness: float, quantile: float) -> tuple[float, float]:
    """The wider, on each side, of the symmetric limits and Hall's.

    The symmetric interval misses too often in the long tail, Hall's in the short one when skewness is itself
    estimated from few cases; their union keeps the level on both sides (benchmarks/coverage.py).
    """
    low, high = hall_limits(value, error, skewness, quantile)
    return min(low, value - quantile * error), max(high, value + quantile * error)
