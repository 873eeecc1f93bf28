"""Cluster-robust variance of a ratio mean, or of the mean of several strata's ratio means, with cases as clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m3dbench.stats.result import FloatArray, stratified


@dataclass(frozen=True, slots=True)
class ClusterFit:
    """Estimate and CR2 variance.

    value: mean over strata of sum/count. contributions: (cases,), their squares add up to ``variance``.
    df: Satterthwaite degrees of freedom. counts: (cases, strata), without empty cases and strata.
    sums: likewise.
    """

    value: float
    contributions: FloatArray
    variance: float
    df: float
    sums: FloatArray
    counts: FloatArray

    @property
    def cases(self) -> int:
        return len(self.counts)

    @property
    def skewness(self) -> float:
        """Third standardised moment of the estimate: sum u^3 / (sum u^2)^1.5."""
        return float(np.sum(self.contributions**3) / self.variance**1.5)


def fit_clusters(sums: npt.ArrayLike, counts: npt.ArrayLike) -> ClusterFit | None:
    """CR2 fit of sums and counts, each (cases,) or (cases, strata); a case may contribute to several strata.

    Model: item = mean of its stratum + error, any correlation within a case. With N_g items in stratum g of G,
    h_ig = n_ig / N_g and e_ig = s_ig - n_ig * mean_g, the Bell-McCaffrey adjustment matrix (I - H_ii)^(-1/2) acts on
    the vector of ones as 1 / sqrt(1 - h_ig), so that CR2 is

        u_i = sum_g c_ig e_ig,   c_ig = 1 / (G N_g sqrt(1 - h_ig)),   V = sum_i u_i^2

    and the Satterthwaite df under working independence are tr(B)^2 / tr(B^2) with
    B_ij = sum_g c_ig c_jg (n_ig [i = j] - n_ig n_jg / N_g). For one item per case and one stratum this is the
    classical s^2 / m on m - 1 degrees of freedom.

    None if there is no case, a value is not finite, or a stratum rests on one case (its variance is unknowable).
    Raises ValueError for negative counts or shapes that differ. Source: Bell and McCaffrey 2002, Survey Methodology
    28(2); Pustejovsky and Tipton 2018, JBES 36(4).
    """
    s, n = stratified(sums, 2), stratified(counts, 2)
    if s.shape != n.shape:
        raise ValueError(f"sums {s.shape} and counts {n.shape} differ in shape")
    if np.any(n < 0):
        raise ValueError("counts must not be negative")
    if not (np.isfinite(s).all() and np.isfinite(n).all()):
        return None
    used_cases, used_strata = (n > 0).any(axis=1), (n > 0).any(axis=0)
    s, n = s[used_cases][:, used_strata], n[used_cases][:, used_strata]
    if not n.size or np.any((n > 0).sum(axis=0) < 2):
        return None
    strata, total = n.shape[1], n.sum(axis=0)
    means = s.sum(axis=0) / total
    c = 1.0 / (strata * total * np.sqrt(1.0 - n / total))
    residuals = s - n * means
    # Rounding must not pass for variance when all items agree.
    residuals[np.abs(residuals) <= 1e-12 * (np.abs(s) + np.abs(n * means))] = 0.0
    u = (c * residuals).sum(axis=1)
    diagonal = (c**2 * n).sum(axis=1)
    a = c * n / np.sqrt(total)
    gram = a.T @ a
    trace = diagonal.sum() - np.trace(gram)
    trace_of_square = (diagonal**2).sum() - 2.0 * (diagonal[:, np.newaxis] * a**2).sum() + (gram**2).sum()
    return ClusterFit(float(means.mean()), u, float(u @ u), float(trace**2 / trace_of_square), s, n)
