"""Intervals of rates: Korn-Graubard, Clopper-Pearson on the effective sample size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from m3dbench.stats.clusters import ClusterFit, fit_clusters
from m3dbench.stats.result import MINIMUM_CASES, Interval, check_level, finish
from m3dbench.stats.skewness import student_quantile

PRIOR_CASES = 1.0
PRIOR_CORRELATION = 0.5


def rate_interval(
    successes: npt.ArrayLike,
    counts: npt.ArrayLike,
    level: float = 0.95,
    *,
    prior_cases: float = PRIOR_CASES,
    prior_correlation: float = PRIOR_CORRELATION,
) -> Interval | None:
    """Interval of a rate p = sum(successes) / sum(counts), or of the macro average of several strata's rates.

    successes, counts: per case, (cases,) or (cases, strata), 0 <= successes <= counts. None under 10 cases, or where
    ``fit_clusters`` has none; ValueError for impossible counts.

    Effective size: n_eff = n / deff * (t_{n-1} / t_df)^2, at most n, where deff = V_CR2 / (p (1 - p) / n), df is the
    Satterthwaite df, and n the number of items (for strata Kish's 1 / sum w^2, w the weight of an item). The interval
    is Beta(a/2; p n_eff, (1-p) n_eff + 1) to Beta(1 - a/2; p n_eff + 1, (1-p) n_eff).
    Source: Korn and Graubard 1998, Survey Methodology 24(2).

    One departure: where few cases hold the rarer answer, deff is hardly estimated, and the textbook interval covers
    as little as 83-87% (p = 0.99, correlation 0.3). So deff is averaged with that of an assumed within-case
    correlation: weight f for the estimate, f the number of cases with the rarer answer, and ``prior_cases`` for the
    assumption; if all items agree, the assumption alone. ``prior_cases=0, prior_correlation=0`` is the textbook.
    """
    check_level(level)
    if np.any(np.asarray(successes) < 0) or np.any(np.asarray(successes) > np.asarray(counts)):
        raise ValueError("successes must lie between 0 and counts")
    fit = fit_clusters(successes, counts)
    if fit is None or fit.cases < MINIMUM_CASES:
        return None
    size = _effective_size(fit, level, prior_cases, prior_correlation)
    p, tail = fit.value, (1.0 - level) / 2.0
    hits, misses = p * size, (1.0 - p) * size
    tiny = 1e-9
    low = float(special.betaincinv(hits, misses + 1.0, tail)) if hits > tiny else 0.0
    high = float(special.betaincinv(hits + 1.0, misses, 1.0 - tail)) if misses > tiny else 1.0
    return finish(low, high, level, "Korn-Graubard", fit.cases, (0.0, 1.0))


def _effective_size(fit: ClusterFit, level: float, prior_cases: float, prior_correlation: float) -> float:
    counts, p = fit.counts, fit.value
    weights = 1.0 / (counts.shape[1] * counts.sum(axis=0))
    independent = float((weights**2 * counts).sum())
    items_per_case = float(((weights * counts).sum(axis=1) ** 2).sum()) / independent
    size = 1.0 / independent
    effect = 1.0 + max(items_per_case - 1.0, 0.0) * prior_correlation
    spread = p * (1.0 - p)
    if spread > 1e-12:
        rarer = fit.sums if p < 0.5 else counts - fit.sums
        seen = float((rarer.sum(axis=1) > 0).sum())
        effect = (seen * fit.variance * size / spread + prior_cases * effect) / (seen + prior_cases)
    ratio = student_quantile(max(size - 1.0, 1.0), level) / student_quantile(fit.df, level)
    return min(size / effect * ratio**2, size)
