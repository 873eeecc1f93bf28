"""The case-level sign-flip test: are two models' answers to the same items exchangeable?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m3dbench.stats.linearise import Aggregate
from m3dbench.stats.result import FloatArray

EXACT_CASES = 13
DRAWS = 20_000
BLOCK_ELEMENTS = 4_000_000


@dataclass(frozen=True, slots=True)
class SignFlip:
    """p-values of the difference first - second under exchangeability within each case.

    less, greater: one-sided, small where the difference is unusually low, or high. two_sided: twice the smaller, at
    most 1. exact: all exchanges were enumerated. cases: those whose answers differ, all others say nothing.
    """

    less: float
    greater: float
    two_sided: float
    exact: bool
    cases: int


def sign_flip(
    first: npt.ArrayLike, second: npt.ArrayLike, aggregate: Aggregate, seed: int, draws: int = DRAWS
) -> SignFlip:
    """Test whether two answers to the same items differ, exchanging all answers of a case together.

    first, second: (cases, k), sums over each case's items of the metric's statistics, rows in the same order. The
    statistic is aggregate(sum of first) - aggregate(sum of second), so for means and rates this flips the signs of the
    cases' summed differences. Up to 13 differing cases are enumerated; above, 20,000 exchanges are drawn from ``seed``
    and the observed one is counted among them, which keeps the test valid; so are exchanges whose value is
    undefined, and without an observed value the p-values are 1. ValueError where the shapes differ.
    Source: Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 3rd ed., sec. 3.2; Phipson and Smyth 2010.
    """
    one, other = (np.asarray(array, dtype=np.float64) for array in (first, second))
    if one.ndim != 2 or one.shape != other.shape:
        raise ValueError(f"expected two arrays (cases, k) of one shape, got {one.shape} and {other.shape}")
    totals = one.sum(axis=0), other.sum(axis=0)
    change = (other - one)[(one != other).any(axis=1)]
    change = change[np.lexsort(change.T)]
    cases = len(change)
    if cases == 0:
        return SignFlip(1.0, 1.0, 1.0, True, 0)
    observed = float(aggregate(totals[0]) - aggregate(totals[1]))
    exact = cases <= EXACT_CASES
    slack = 1e-9 * max(abs(observed), 1e-12)
    low = high = count = 0
    for flips in exchanges(cases, seed, exact, draws, cases):
        moved = flips @ change
        found = aggregate(totals[0] + moved) - aggregate(totals[1] - moved)
        # An undefined value is as extreme as any: it must not make a difference look rarer.
        low += int((~(found > observed + slack)).sum())
        high += int((~(found < observed - slack)).sum())
        count += len(found)
    if not exact:
        low, high, count = low + 1, high + 1, count + 1
    less, greater = low / count, high / count
    return SignFlip(less, greater, min(1.0, 2 * min(less, greater)), exact, cases)


def exchanges(cases: int, seed: int, exact: bool, draws: int, width: int) -> Iterator[FloatArray]:
    """Blocks (n, cases) of 0 and 1: which cases exchange their answers; all, or ``draws`` drawn ones in blocks that
    keep n times ``width`` small."""
    if exact:
        numbers = np.arange(2**cases)[:, np.newaxis]
        yield ((numbers >> np.arange(cases)) & 1).astype(np.float64)
        return
    rng = np.random.default_rng(seed)
    block = max(1, min(draws, BLOCK_ELEMENTS // width))
    for start in range(0, draws, block):
        yield rng.integers(0, 2, size=(min(block, draws - start), cases)).astype(np.float64)
