"""Paired differences: one metric on two answers to the same items."""

from __future__ import annotations

import numpy as np
import pytest

from m3dbench.metrics.core import ratio
from m3dbench.stats.means import mean_interval
from m3dbench.stats.paired import paired_difference

RNG = np.random.default_rng(5)
COUNTS = RNG.integers(1, 5, size=25).astype(float)
PLAIN = np.column_stack([RNG.binomial(COUNTS.astype(int), 0.8), COUNTS])
CONTROL = np.column_stack([RNG.binomial(COUNTS.astype(int), 0.4), COUNTS])


def test_the_difference_of_rates_is_the_mean_of_differences_per_item() -> None:
    found = paired_difference("rate", PLAIN, CONTROL, ratio, seed=1, bounds=(0.0, 1.0))
    assert found.value == pytest.approx((PLAIN[:, 0].sum() - CONTROL[:, 0].sum()) / COUNTS.sum())
    assert found.value == found.first - found.second
    assert found.interval == mean_interval(PLAIN[:, 0] - CONTROL[:, 0], COUNTS, bounds=(-1.0, 1.0))
    assert found.interval is not None
    assert found.interval.low < found.value < found.interval.high


def test_a_corpus_metric_is_resampled_in_pairs_and_agrees_with_the_mean_where_both_apply() -> None:
    mean = paired_difference("mean", PLAIN, CONTROL, ratio, seed=1).interval
    corpus = paired_difference("corpus", PLAIN, CONTROL, ratio, seed=1).interval
    assert mean is not None
    assert corpus is not None
    assert "bootstrap" in corpus.method
    assert corpus.low == pytest.approx(mean.low, abs=0.03)
    assert corpus.high == pytest.approx(mean.high, abs=0.03)


def test_exchanging_the_two_changes_the_sign_alone() -> None:
    one = paired_difference("mean", PLAIN, CONTROL, ratio, seed=1)
    other = paired_difference("mean", CONTROL, PLAIN, ratio, seed=1)
    assert one.value == -other.value
    assert one.interval is not None
    assert other.interval is not None
    assert (one.interval.low, one.interval.high) == pytest.approx((-other.interval.high, -other.interval.low))


@pytest.mark.parametrize("family", ["rate", "mean", "corpus"])
def test_equal_answers_differ_by_exactly_nothing_and_the_interval_holds_it(family: str) -> None:
    found = paired_difference(family, PLAIN, PLAIN, ratio, seed=1, bounds=(0.0, 1.0))  # type: ignore[arg-type]
    assert found.value == 0.0
    assert found.interval is not None
    assert found.interval.low <= 0.0 <= found.interval.high


def test_pairing_narrows_the_interval_where_the_answers_go_together() -> None:
    base = RNG.normal(size=40)
    plain = np.column_stack([base + 0.1 + RNG.normal(scale=0.01, size=40), np.ones(40)])
    control = np.column_stack([base, np.ones(40)])
    found = paired_difference("mean", plain, control, ratio, seed=1).interval
    alone = mean_interval(plain[:, 0], plain[:, 1])
    assert found is not None
    assert alone is not None
    assert found.low > 0
    assert found.high - found.low < (alone.high - alone.low) / 20


def test_counts_that_differ_are_resampled_not_averaged() -> None:
    shorter = CONTROL - [0, 1] * (COUNTS > 1)[:, np.newaxis]
    found = paired_difference("mean", PLAIN, shorter, ratio, seed=1)
    assert found.value == pytest.approx(float(ratio(PLAIN.sum(axis=0)) - ratio(shorter.sum(axis=0))))
    assert found.interval is not None
    assert "bootstrap" in found.interval.method


def test_under_ten_cases_there_is_a_value_and_no_interval() -> None:
    found = paired_difference("mean", PLAIN[:9], CONTROL[:9], ratio, seed=1)
    assert found.interval is None
    assert np.isfinite(found.value)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        paired_difference("mean", PLAIN, CONTROL[:-1], ratio, seed=1)
