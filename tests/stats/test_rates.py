import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from m3dbench.stats.intervals import rate_interval
from m3dbench.stats.result import FloatArray, Interval


def given_interval(result: Interval | None) -> Interval:
    assert result is not None
    return result


@st.composite
def cases(draw: st.DrawFn) -> tuple[FloatArray, FloatArray]:
    n = draw(hnp.arrays(np.int64, st.integers(10, 60), elements=st.integers(1, 9)))
    share = draw(hnp.arrays(np.float64, len(n), elements=st.floats(0, 1)))
    return np.round(share * n).astype(float), n.astype(float)


@pytest.mark.parametrize(("k", "n"), [(40, 50), (1, 30), (499, 500), (150, 300)])
def test_one_item_per_case_is_clopper_pearson_up_to_the_df_adjustment(k: int, n: int) -> None:
    found = given_interval(rate_interval(np.arange(n) < k, np.ones(n)))
    exact = stats.binomtest(k, n).proportion_ci()
    width = exact.high - exact.low
    assert found.low == pytest.approx(exact.low, abs=0.03 * width)
    assert found.high == pytest.approx(exact.high, abs=0.03 * width)


@pytest.mark.parametrize("n", [10, 30, 200])
def test_all_right_or_all_wrong_with_one_item_per_case_is_exactly_clopper_pearson(n: int) -> None:
    right = given_interval(rate_interval(np.ones(n), np.ones(n)))
    wrong = given_interval(rate_interval(np.zeros(n), np.ones(n)))
    assert right.low == pytest.approx(0.025 ** (1 / n))
    assert (right.high, wrong.low) == (1.0, 0.0)
    assert wrong.high == pytest.approx(1 - right.low)


def test_textbook_equals_clopper_pearson_on_the_effective_size() -> None:
    rng = np.random.default_rng(0)
    s = rng.binomial(7, rng.beta(2, 1, 40)).astype(float)
    found = given_interval(rate_interval(s, np.full(40, 7.0), prior_cases=0, prior_correlation=0))
    p = s.sum() / 280
    variance = np.sum((s - 7 * p) ** 2) / (1 - 1 / 40) / 280**2
    size = p * (1 - p) / variance * (stats.t.ppf(0.975, 279) / stats.t.ppf(0.975, 39)) ** 2
    assert found.low == pytest.approx(stats.beta.ppf(0.025, p * size, (1 - p) * size + 1))
    assert found.high == pytest.approx(stats.beta.ppf(0.975, p * size + 1, (1 - p) * size))


def test_agreement_within_cases_widens() -> None:
    clustered = np.repeat([6.0, 0.0], [20, 10])
    mixed = np.full(30, 4.0)
    n = np.full(30, 6.0)
    wide, narrow = given_interval(rate_interval(clustered, n)), given_interval(rate_interval(mixed, n))
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


@given(cases())
def test_contains_the_estimate_within_zero_and_one(data: tuple[FloatArray, FloatArray]) -> None:
    s, n = data
    found = given_interval(rate_interval(s, n))
    assert 0.0 <= found.low <= s.sum() / n.sum() + 1e-12
    assert s.sum() / n.sum() - 1e-12 <= found.high <= 1.0
    assert found.clusters == len(n)


@given(cases())
def test_order_of_cases_and_empty_cases_change_nothing(data: tuple[FloatArray, FloatArray]) -> None:
    s, n = data
    order = np.random.default_rng(len(n)).permutation(len(n))
    plain = given_interval(rate_interval(s, n))
    moved = given_interval(rate_interval(np.r_[s[order], 0, 0], np.r_[n[order], 0, 0]))
    assert (moved.low, moved.high) == pytest.approx((plain.low, plain.high), abs=1e-9)
    assert moved.clusters == plain.clusters


@given(cases())
def test_wrong_answers_mirror_right_ones(data: tuple[FloatArray, FloatArray]) -> None:
    s, n = data
    # At exactly one half neither answer is the rarer one.
    assume(s.sum() * 2 != n.sum())
    right, wrong = given_interval(rate_interval(s, n)), given_interval(rate_interval(n - s, n))
    assert (right.low, right.high) == pytest.approx((1 - wrong.high, 1 - wrong.low), abs=1e-7)


@given(cases())
def test_never_narrower_than_independent_items(data: tuple[FloatArray, FloatArray]) -> None:
    s, n = data
    found = given_interval(rate_interval(s, n))
    k, total = s.sum(), n.sum()
    exact = np.asarray(stats.beta.ppf([0.025, 0.975], [k, k + 1], [total - k + 1, total - k]))
    assert found.low <= np.nan_to_num(exact[0], nan=0.0) + 1e-9
    assert found.high >= np.nan_to_num(exact[1], nan=1.0) - 1e-9


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and counts"):
        rate_interval(np.full(20, 2.0), np.ones(20))
    with pytest.raises(ValueError, match="level"):
        rate_interval(np.ones(20), np.ones(20), level=95)


def test_covers_in_simulation() -> None:
    rng, hits = np.random.default_rng(3), 0
    for _ in range(300):
        n = rng.integers(6, 10, 30)
        found = given_interval(rate_interval(rng.binomial(n, rng.beta(0.9 * 7 / 3, 0.1 * 7 / 3, 30)), n))
        hits += found.low <= 0.9 <= found.high
    assert hits >= 0.93 * 300
