"""The sign-flip test between every two of several models at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from m3dbench.stats.linearise import Aggregate
from m3dbench.stats.result import FloatArray
from m3dbench.stats.signflip import DRAWS, EXACT_CASES, exchanges

SLACK = 1e-9


def all_pairs(
    statistics: npt.ArrayLike, aggregate: Aggregate, seed: int, *, draws: int = DRAWS, linear: bool = False
) -> FloatArray:
    """Two-sided p-values (models, models) of the case-level sign-flip test, 1 on the diagonal.

    statistics: (models, cases, k), sums over each case's items, all of the same items. The exchanges are drawn once
    for all pairs; up to 13 cases they are enumerated. linear: the aggregate is first over second with equal seconds (a
    mean or a rate); p-values below what the draws can show are then Hoeffding's bound 2 exp(-t^2 / 2 sum d^2)
    instead, which is never below the exact one: many models, and so a strict correction, need such values.
    ValueError for another shape. Sources: as ``sign_flip``; Hoeffding 1963, theorem 2.
    """
    array = np.asarray(statistics, dtype=np.float64)
    if array.ndim != 3:
        raise ValueError(f"statistics must be (models, cases, k), not {array.shape}")
    models, cases, _ = array.shape
    p_values = np.ones((models, models))
    if models < 2 or not cases:
        return p_values
    totals = array.sum(axis=1)
    values = np.asarray(aggregate(totals))
    first, second = np.triu_indices(models, 1)
    observed = values[first] - values[second]
    slack = SLACK * np.maximum(np.abs(observed), 1e-12)
    low, high, count = np.zeros(len(first), int), np.zeros(len(first), int), 0
    exact = cases <= EXACT_CASES
    by_case = np.ascontiguousarray(array.transpose(1, 0, 2).reshape(cases, -1))
    for flips in exchanges(cases, seed, exact, draws, max(cases, len(first), by_case.shape[1])):
        moved = (flips @ by_case).reshape(len(flips), *totals.shape)
        change = moved[:, second] - moved[:, first]
        found = aggregate(totals[first] + change) - aggregate(totals[second] - change)
        low += (found <= observed + slack).sum(axis=0)
        high += (found >= observed - slack).sum(axis=0)
        count += len(found)
    extra = 0 if exact else 1
    found = np.minimum(1.0, 2 * (np.minimum(low, high) + extra) / (count + extra))
    if linear and not exact:
        bound = _bound(array, first, second)
        found = np.where(bound < 2 / (count + extra), bound, found)
    p_values[first, second] = p_values[second, first] = found
    return p_values


def _bound(array: FloatArray, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]) -> FloatArray:
    """Hoeffding's bound on the two-sided p-value of each pair's summed differences."""
    changes = array[:, :, 0]
    sums = changes.sum(axis=1)
    # sum (x - y)^2 = sum x^2 + sum y^2 - 2 sum x y, without a copy a pair
    products = changes @ changes.T
    squares = np.diag(products)
    spread = np.maximum(squares[first] + squares[second] - 2 * products[first, second], 1e-300)
    return np.asarray(np.minimum(1.0, 2 * np.exp(-((sums[first] - sums[second]) ** 2) / (2 * spread))))
