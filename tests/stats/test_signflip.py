"""The case-level sign-flip test, Holm's adjustment and the power calculation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from m3dbench.metrics.core import ratio
from m3dbench.stats import power
from m3dbench.stats.allpairs import all_pairs
from m3dbench.stats.multiplicity import holm
from m3dbench.stats.signflip import EXACT_CASES, sign_flip

Pairs = list[tuple[int, int, int]]
pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(5, 9)), min_size=2, max_size=8)


def arrays(rows: Pairs) -> tuple[np.ndarray, np.ndarray]:
    counts = [row[2] for row in rows]
    return np.array([[row[0], n] for row, n in zip(rows, counts, strict=True)], float), np.array(
        [[row[1], n] for row, n in zip(rows, counts, strict=True)], float
    )


@given(pairs)
def test_few_cases_are_enumerated_as_by_hand(rows: Pairs) -> None:
    first, second = arrays(rows)
    changes = first[:, 0] - second[:, 0]
    found = [
        sum(sign * change for sign, change in zip(signs, changes, strict=True))
        for signs in product((1, -1), repeat=len(rows))
    ]
    expected = np.mean([value <= changes.sum() for value in found])
    test = sign_flip(first, second, ratio, seed=0)
    assert test.exact
    assert test.less == pytest.approx(expected)
    assert test.greater == pytest.approx(np.mean([value >= changes.sum() for value in found]))


@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_cases_and_cases_that_agree_change_nothing(rows: Pairs, random: object) -> None:
    first, second = arrays(rows)
    order = np.random.default_rng(0).permutation(len(rows))
    same = np.array([[3.0, 7.0]])
    plain = sign_flip(first, second, ratio, 1)
    assert plain == sign_flip(first[order], second[order], ratio, 1)
    more = sign_flip(np.vstack([first, same]), np.vstack([second, same]), ratio, 1)
    assert (more.less, more.greater, more.cases) == (plain.less, plain.greater, plain.cases)


def test_drawn_exchanges_come_near_the_binomial_that_they_stand_for() -> None:
    cases, wins = 60, 40
    second = np.column_stack([np.r_[np.zeros(wins), np.ones(cases - wins)], np.ones(cases)])
    first = np.column_stack([1 - second[:, 0], np.ones(cases)])
    test = sign_flip(first, second, ratio, seed=3)
    assert not test.exact
    assert cases > EXACT_CASES
    assert test.greater == pytest.approx(stats.binomtest(wins, cases, alternative="greater").pvalue, abs=0.003)
    assert test.less > 0.99


def test_a_ratio_of_sums_is_exchanged_as_a_whole() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.uniform(1, 2, (6, 3)), rng.uniform(1, 2, (6, 3))

    def dice(sums: np.ndarray) -> np.ndarray:
        return np.asarray(2 * sums[..., 0] / (sums[..., 1] + sums[..., 2]))

    observed = dice(first.sum(0)) - dice(second.sum(0))
    found = []
    for swaps in product((False, True), repeat=6):
        one, other = first.copy(), second.copy()
        one[list(swaps)], other[list(swaps)] = second[list(swaps)], first[list(swaps)]
        found.append(dice(one.sum(0)) - dice(other.sum(0)))
    assert sign_flip(first, second, dice, 0).less == pytest.approx(np.mean(np.array(found) <= observed + 1e-12))


@pytest.mark.parametrize("cases", [6, 40])
def test_what_is_undefined_is_never_evidence(cases: int) -> None:
    def of_enough(sums: np.ndarray) -> np.ndarray:
        return np.where(sums[..., 1] < 2 * cases, np.nan, sums[..., 0])

    better = np.stack([np.full(cases, 2.0), np.full(cases, 2.0)], -1)
    few = np.stack([np.full(cases, 1.0), np.full(cases, 1.0)], -1)
    test = sign_flip(few, better, of_enough, 0)
    assert (test.less, test.greater, test.two_sided) == (1.0, 1.0, 1.0)
    assert all_pairs(np.stack([few, better]), of_enough, 0)[0, 1] == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_rejects_exactly_what_stepping_down_rejects(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for alpha in (0.01, 0.05, 0.2):
        rejected = set()
        for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
            if p_values[place] * (len(p_values) - rank) > alpha:
                break
            rejected.add(place)
        assert {place for place, value in enumerate(adjusted) if value <= alpha} == rejected


def test_the_cases_needed_find_the_difference_as_often_as_asked() -> None:
    needed = power.cases_needed(spread=0.5, difference=0.1, target=0.8)
    assert power.power(needed, 0.5, 0.1) >= 0.8 > power.power(needed - 1, 0.5, 0.1)
    rng = np.random.default_rng(1)
    drawn = rng.normal(0.1, 0.5, (2000, needed))
    t = drawn.mean(1) / (drawn.std(1, ddof=1) / np.sqrt(needed))
    assert (t > stats.t.ppf(0.95, needed - 1)).mean() == pytest.approx(0.8, abs=0.03)


def test_the_spread_over_the_root_of_cases_is_the_error_of_the_difference() -> None:
    rng = np.random.default_rng(2)
    counts = rng.integers(1, 9, 500).astype(float)
    first, second = (np.column_stack([rng.binomial(counts.astype(int), p), counts]) for p in (0.6, 0.5))
    from m3dbench.stats.paired import paired_difference

    found = paired_difference("rate", first, second, ratio, 0)
    assert found.interval is not None
    half = (found.interval.high - found.interval.low) / 2
    assert power.case_spread(first, second) / np.sqrt(500) == pytest.approx(half / 1.965, rel=0.05)
