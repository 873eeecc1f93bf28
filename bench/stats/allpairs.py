"""The sign-flip test between every two of several models at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from m3dbench.stats.linearise import Aggregate
from m3dbench.stats.result import FloatArray
from m3dbench.stats.signflip import DRAWS, EXACT_CASES, exchanges

SLACK = 1e-9
Places = npt.NDArray[np.intp]


def all_pairs(
    statistics: npt.ArrayLike, aggregate: Aggregate, seed: int, *, draws: int = DRAWS, linear: bool = False
) -> FloatArray:
    """Two-sided p-values (models, models) of the case-level sign-flip test, 1 on the diagonal.

    statistics: (models, cases, k), sums over each case's items, all of the same items. The exchanges are drawn once
    for all pairs; up to 13 cases they are enumerated. linear: the aggregate is first over second with equal seconds (a
    mean or a rate); p-values below what the draws can show are then Hoeffding's bound 2 exp(-t^2 / 2 sum d^2) instead,
    which is never below the exact one: many models, and so a strict correction, need such values.
    ValueError for another shape. Sources: as ``sign_flip``; Hoeffding 1963, theorem 2.
    """
    array = np.asarray(statistics, dtype=np.float64)
    if array.ndim != 3:
        raise ValueError(f"statistics must be (models, cases, k), not {array.shape}")
    models, cases, _ = array.shape
    p_values = np.ones((models, models))
    if models < 2 or not cases:
        return p_values
    exact = cases <= EXACT_CASES
    first, second = np.triu_indices(models, 1)
    found = np.ones(len(first))
    left = np.arange(len(first))
    if linear and not exact:
        bound = _bound(array[:, :, 0], first, second)
        found = bound
        left = np.flatnonzero(bound >= 2 / (draws + 1))
    if linear:
        array = array[:, :, :1]
        aggregate = _total
    found[left] = _drawn(array, aggregate, first[left], second[left], seed, draws, exact)
    p_values[first, second] = p_values[second, first] = found
    return p_values


def _total(sums: FloatArray) -> FloatArray:
    return np.asarray(sums[..., 0], dtype=np.float64)


def _drawn(
    array: FloatArray, aggregate: Callable[[FloatArray], FloatArray], first: Places, second: Places, seed: int,
    draws: int, exact: bool,
) -> FloatArray:  # fmt: skip
    """The p-values of the pairs (first, second) from the exchanges; the observed one is counted among drawn ones."""
    models, cases, k = array.shape
    totals = array.sum(axis=1)
    values = aggregate(totals)
    observed = values[first] - values[second]
    slack = SLACK * np.maximum(np.abs(observed), 1e-12)
    low, high, count = np.zeros(len(first), int), np.zeros(len(first), int), 0
    by_case = np.ascontiguousarray(array.transpose(1, 0, 2).reshape(cases, -1))
    for flips in exchanges(cases, seed, exact, draws, max(cases, len(first) * k)):
        moved = (flips @ by_case).reshape(len(flips), models, k)
        change = moved[:, second] - moved[:, first]
        found = aggregate(totals[first] + change) - aggregate(totals[second] - change)
        low += (~(found > observed + slack)).sum(axis=0)  # an undefined value is as extreme as any
        high += (~(found < observed - slack)).sum(axis=0)
        count += len(found)
    extra = 0 if exact else 1
    return np.asarray(np.minimum(1.0, 2 * (np.minimum(low, high) + extra) / (count + extra)), dtype=np.float64)


def _bound(sums: FloatArray, first: Places, second: Places) -> FloatArray:
    """Hoeffding's bound on the two-sided p-value of each pair's summed differences. sums: (models, cases)."""
    totals = sums.sum(axis=1)
    # sum (x - y)^2 = sum x^2 + sum y^2 - 2 sum x y, without a copy a pair
    products = sums @ sums.T
    squares = np.diag(products)
    spread = np.maximum(squares[first] + squares[second] - 2 * products[first, second], 1e-300)
    return np.asarray(np.minimum(1.0, 2 * np.exp(-((totals[first] - totals[second]) ** 2) / (2 * spread))))
