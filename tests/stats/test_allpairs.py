"""The sign-flip test between every two models: the same as pair by pair, and valid far out."""

from __future__ import annotations

import numpy as np
import pytest

from m3dbench.metrics.core import ratio
from m3dbench.stats.allpairs import all_pairs
from m3dbench.stats.signflip import DRAWS, sign_flip


def made(rates: list[float], cases: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([np.stack([rng.binomial(7, rate, cases), np.full(cases, 7)], -1) for rate in rates]).astype(float)


@pytest.mark.parametrize("linear", [True, False])
def test_few_cases_give_the_exact_test_of_each_pair(linear: bool) -> None:
    statistics = made([0.3, 0.5, 0.6], 9)
    found = all_pairs(statistics, ratio, 0, linear=linear)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        exact = sign_flip(statistics[one], statistics[other], ratio, 0)
        assert exact.exact
        assert found[one, other] == found[other, one] == pytest.approx(exact.two_sided)
    assert np.diag(found).tolist() == [1.0, 1.0, 1.0]


def test_many_cases_agree_with_the_drawn_test_of_each_pair() -> None:
    statistics = made([0.5, 0.52, 0.55], 200)
    found, slow = all_pairs(statistics, ratio, 0, linear=True), all_pairs(statistics, ratio, 0)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        drawn = sign_flip(statistics[one], statistics[other], ratio, 1).two_sided
        assert found[one, other] == pytest.approx(drawn, abs=0.012)
        assert slow[one, other] == pytest.approx(found[one, other], abs=1e-9)


def test_large_differences_are_bounded_where_draws_end() -> None:
    statistics = made([0.4, 0.6], 300)
    found = all_pairs(statistics, ratio, 0, linear=True)[0, 1]
    assert found < 2 / (DRAWS + 1)
    assert all_pairs(statistics, ratio, 0)[0, 1] == pytest.approx(2 / (DRAWS + 1))
    changes = statistics[0, :, 0] - statistics[1, :, 0]
    rng = np.random.default_rng(3)
    # the bound is never below the exact value: held against drawn sums where these still reach
    for scale in (2.0, 3.0):
        limit = scale * np.sqrt((changes**2).sum())
        drawn = np.abs(rng.choice([-1.0, 1.0], (20_000, len(changes))) @ changes) >= limit
        assert drawn.mean() <= 2 * np.exp(-(scale**2) / 2)


def test_one_model_or_none_has_nothing_to_be_told_from() -> None:
    assert all_pairs(made([0.5], 20), ratio, 0).tolist() == [[1.0]]
    with pytest.raises(ValueError, match="models, cases"):
        all_pairs(np.zeros((3, 2)), ratio, 0)
