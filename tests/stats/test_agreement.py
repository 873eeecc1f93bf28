"""Agreement of two raters."""

from __future__ import annotations

import numpy as np
import pytest

from m3dbench.stats.agreement import agreement, weighted_kappa


def test_kappa_is_cohens_with_quadratic_weights() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, 40), rng.integers(0, 5, 40)
    weights = (np.arange(5)[:, None] - np.arange(5)) ** 2
    table = np.zeros((5, 5))
    np.add.at(table, (first, second), 1)
    chance = np.outer(table.sum(1), table.sum(0)) / 40
    expected = 1 - (weights * table).sum() / (weights * chance).sum()
    assert weighted_kappa(first * 20.0 + 3, second * 20.0 + 3) == pytest.approx(expected)
    assert weighted_kappa(np.array([100.0, 0.0]), np.array([100.0, 0.0])) == 1


def test_intervals_rest_on_cases() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(0, 100, 60)
    noisy = np.clip(truth + rng.normal(0, 15, 60), 0, 100)
    by_item = {item.name: item for item in agreement(truth, noisy, [str(n) for n in range(60)], 0)}
    by_case = {item.name: item for item in agreement(truth, noisy, [str(n // 5) for n in range(60)], 0)}
    for name, item in by_item.items():
        assert item.value is not None
        assert item.interval is not None
        assert item.interval.low < item.value < item.interval.high
        assert by_case[name].value == item.value
        assert (item.cases, by_case[name].cases) == (60, 12)
    assert agreement(truth, noisy, ["one"] * 60, 0)[0].interval is None


def test_a_constant_rater_agrees_with_nobody() -> None:
    found = agreement([50.0] * 12, list(range(12)), [str(n) for n in range(12)], 0)
    assert [item.value for item in found[:2]] == [None, None]
    assert found[2].value == pytest.approx(0, abs=0.2)
