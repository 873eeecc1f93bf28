import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import linalg, stats

from m3dbench.stats.clusters import fit_clusters
from m3dbench.stats.intervals import mean_interval
from m3dbench.stats.result import FloatArray, Interval
from m3dbench.stats.skewness import hall_limits

values = hnp.arrays(np.float64, st.integers(10, 40), elements=st.floats(0, 1).map(lambda v: round(v, 6)))


def given_interval(result: Interval | None) -> Interval:
    assert result is not None
    return result


def explicit_cr2(y: FloatArray, case: np.ndarray, stratum: np.ndarray) -> tuple[float, float]:
    """CR2 variance and Bell-McCaffrey df of the mean of strata means, by matrices over items."""
    x = (stratum[:, None] == np.unique(stratum)).astype(float)
    bread = np.linalg.inv(x.T @ x)
    hat = x @ bread @ x.T
    contrast = np.full(x.shape[1], 1 / x.shape[1])
    away = np.eye(len(y)) - hat
    residuals, columns, variance = away @ y, [], 0.0
    for one in np.unique(case):
        at = case == one
        adjust = np.real(linalg.fractional_matrix_power(np.eye(at.sum()) - hat[np.ix_(at, at)], -0.5))
        weights = adjust @ x[at] @ bread @ contrast
        variance += float(weights @ residuals[at]) ** 2
        columns.append(away[:, at] @ weights)
    b = np.stack(columns, 1)
    gram = b.T @ b
    return variance, float(np.trace(gram) ** 2 / (gram**2).sum())


@pytest.mark.parametrize("strata", [1, 3])
def test_closed_form_equals_the_matrix_definition(strata: int) -> None:
    rng = np.random.default_rng(strata)
    case, stratum = rng.integers(12, size=80), rng.integers(strata, size=80)
    y = rng.random(80) + 0.1 * case
    sums, counts = np.zeros((12, strata)), np.zeros((12, strata))
    np.add.at(sums, (case, stratum), y)
    np.add.at(counts, (case, stratum), 1)
    fit = fit_clusters(sums, counts)
    assert fit is not None
    assert (fit.variance, fit.df) == pytest.approx(explicit_cr2(y, case, stratum))


@given(values)
def test_one_item_per_case_is_the_classical_t_interval(x: FloatArray) -> None:
    found = given_interval(mean_interval(x, np.ones(len(x)), skew_corrected=False))
    half = stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    assert (found.low, found.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=1e-9)


@given(values)
def test_symmetric_data_need_no_correction(x: FloatArray) -> None:
    both = np.r_[x, 1 - x]
    corrected = given_interval(mean_interval(both, np.ones(len(both))))
    plain = given_interval(mean_interval(both, np.ones(len(both)), skew_corrected=False))
    assert (corrected.low, corrected.high) == pytest.approx((plain.low, plain.high), abs=1e-6)


@given(values, st.integers(1, 5))
def test_repeating_every_item_of_a_case_changes_nothing(x: FloatArray, times: int) -> None:
    once, often = mean_interval(x, np.ones(len(x))), mean_interval(times * x, np.full(len(x), float(times)))
    assert (given_interval(often).low, given_interval(often).high) == pytest.approx(
        (given_interval(once).low, given_interval(once).high), abs=1e-9
    )


@given(values, st.integers(0, 2**32 - 1))
def test_contains_the_estimate_within_bounds_in_any_order(x: FloatArray, seed: int) -> None:
    n = np.random.default_rng(seed).integers(1, 5, len(x)).astype(float)
    order = np.random.default_rng(seed).permutation(len(x))
    found = given_interval(mean_interval(x * n, n, bounds=(0, 1)))
    moved = given_interval(mean_interval((x * n)[order], n[order], bounds=(0, 1)))
    assert 0 <= found.low <= (x * n).sum() / n.sum() + 1e-12
    assert (x * n).sum() / n.sum() - 1e-12 <= found.high <= 1
    assert (moved.low, moved.high) == pytest.approx((found.low, found.high), abs=1e-7)


def test_skewness_widens_the_long_tail_only() -> None:
    x = np.r_[np.zeros(25), 0.1, 0.2, 0.4, 0.8, 0.9]
    plain = given_interval(mean_interval(x, np.ones(30), skew_corrected=False))
    corrected = given_interval(mean_interval(x, np.ones(30)))
    assert corrected.low == plain.low
    assert corrected.high > plain.high


@given(st.floats(0.05, 1.5), st.floats(0.5, 3))
def test_hall_limits_invert_the_cubic(skewness: float, quantile: float) -> None:
    def cubic(t: float) -> float:
        return t + skewness * t**2 / 3 + skewness**2 * t**3 / 27 + skewness / 6

    low, high = hall_limits(0.0, 1.0, skewness, quantile)
    assert (cubic(-low), cubic(-high)) == pytest.approx((quantile, -quantile), abs=1e-6)


def test_agreement_of_all_cases_is_never_certainty_within_bounds() -> None:
    found = given_interval(mean_interval(np.zeros(30), np.ones(30), bounds=(0, 1)))
    assert (found.low, found.high) == pytest.approx((0.0, 1 - 0.025 ** (1 / 30)))
    unbounded = given_interval(mean_interval(np.full(30, 0.3), np.ones(30)))
    assert unbounded.low == unbounded.high == pytest.approx(0.3)
    assert "degenerate" in unbounded.method


def test_covers_in_simulation() -> None:
    rng, hits = np.random.default_rng(5), 0
    for _ in range(300):
        found = given_interval(mean_interval(rng.beta(1.2, 6, 30), np.ones(30), bounds=(0, 1)))
        hits += found.low <= 1.2 / 7.2 <= found.high
    assert hits >= 0.93 * 300
