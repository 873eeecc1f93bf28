import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3dbench.stats import resampling
from m3dbench.stats.intervals import bootstrap_interval, macro_interval, mean_interval
from m3dbench.stats.linearise import difference_steps, gradient
from m3dbench.stats.result import FloatArray, Interval


def ratio(sums: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def sample(seed: int, cases: int = 30, strata: int = 1) -> FloatArray:
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 6, (cases, strata)).astype(float)
    return np.stack([n * rng.beta(2, 1, (cases, strata)), n], -1)


def limits(result: Interval | None) -> tuple[float, float]:
    assert result is not None
    return result.low, result.high


def test_seed_decides_and_nothing_else() -> None:
    x = sample(1)
    assert bootstrap_interval(x, ratio, 7) == bootstrap_interval(x, ratio, 7)
    assert bootstrap_interval(x, ratio, 7) != bootstrap_interval(x, ratio, 8)


@given(st.integers(0, 1000))
@settings(max_examples=25)
def test_order_of_cases_and_empty_cases_change_nothing(seed: int) -> None:
    x = sample(seed)
    moved = np.concatenate([x[np.random.default_rng(seed).permutation(30)], np.zeros((3, 1, 2))])
    assert bootstrap_interval(x, ratio, 3, replicates=200) == bootstrap_interval(moved, ratio, 3, replicates=200)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap_interval(sample(2), ratio, 3, replicates=500)
    monkeypatch.setattr(resampling, "BLOCK_ELEMENTS", 700)
    assert limits(bootstrap_interval(sample(2), ratio, 3, replicates=500)) == pytest.approx(limits(whole))


@given(st.integers(0, 1000))
@settings(max_examples=25)
def test_contains_the_estimate_within_bounds(seed: int) -> None:
    x = sample(seed, strata=3)
    low, high = limits(bootstrap_interval(x, ratio, seed, replicates=200, bounds=(0, 1)))
    assert 0 <= low <= ratio(x.sum(0)).mean() <= high <= 1


def test_agrees_with_the_closed_form_on_a_mean_of_many_cases() -> None:
    x = sample(4, cases=400)
    closed = limits(mean_interval(x[..., 0], x[..., 1]))
    assert limits(bootstrap_interval(x, ratio, 1)) == pytest.approx(closed, abs=0.1 * (closed[1] - closed[0]))


def test_macro_keeps_a_case_together() -> None:
    x = sample(6, cases=60)
    same = np.concatenate([x, x, x], axis=1)
    assert limits(bootstrap_interval(same, ratio, 1)) == pytest.approx(limits(bootstrap_interval(x, ratio, 1)))
    for family in ("rate", "mean"):
        rounded = np.stack([np.round(x[..., 0]), x[..., 1]], -1)
        one = macro_interval(rounded, ratio, 1, family=family)
        three = macro_interval(np.concatenate([rounded] * 3, axis=1), ratio, 1, family=family)
        low, high = limits(one)
        # The df differ slightly: the working model takes the strata's errors as independent.
        assert limits(three) == pytest.approx((low, high), abs=0.05 * (high - low))


def test_a_stratum_of_one_case_has_no_known_variance() -> None:
    x = sample(7, strata=2)
    x[1:, 1] = 0.0
    assert bootstrap_interval(x, ratio, 1) is None
    assert macro_interval(x, ratio, 1, family="mean") is None
    assert bootstrap_interval(x[:, :1], ratio, 1) is not None


def test_strata_without_items_are_left_out() -> None:
    x = sample(8, strata=2)
    wider = np.concatenate([x, np.zeros((30, 1, 2))], axis=1)
    assert bootstrap_interval(wider, ratio, 1) == bootstrap_interval(x, ratio, 1)


def test_constant_values() -> None:
    x = np.stack([np.full(20, 2.0), np.full(20, 4.0)], -1)
    plain, bounded = bootstrap_interval(x, ratio, 1), bootstrap_interval(x, ratio, 1, bounds=(0, 1))
    assert plain is not None
    assert "degenerate" in plain.method
    assert limits(bounded)[0] < 0.5 < limits(bounded)[1]


def test_few_defined_replicates_leave_the_jackknife_alone() -> None:
    x = sample(9)
    total = x.sum(0)[:, 1]

    def picky(sums: FloatArray) -> FloatArray:
        return np.asarray(np.where(np.abs(sums[..., 1] - total[0]) < 6, ratio(sums), np.nan))

    found = bootstrap_interval(x, picky, 1)
    assert found is not None
    assert "bootstrap" not in found.method


def test_gradient_of_a_ratio() -> None:
    x = sample(10, strata=2)
    total = x.sum(axis=0)
    slopes = gradient(total, ratio, difference_steps(x))
    expected = np.stack([1 / total[:, 1], -total[:, 0] / total[:, 1] ** 2], -1) / 2
    assert slopes == pytest.approx(expected, rel=1e-4)
