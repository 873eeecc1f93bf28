import numpy as np
import pytest

from m3dbench.stats.intervals import Family, bootstrap_interval, interval, macro_interval, mean_interval, rate_interval
from m3dbench.stats.result import FloatArray

FAMILIES: tuple[Family, ...] = ("rate", "mean", "corpus")


def ratio(sums: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def statistics(cases: int) -> FloatArray:
    n = np.random.default_rng(0).integers(2, 8, cases)
    return np.stack([np.random.default_rng(1).binomial(n, 0.7), n], -1).astype(float)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("cases", [0, 1, 9])
def test_under_ten_cases_there_is_none(family: Family, cases: int) -> None:
    assert interval(family, statistics(cases), ratio, 0) is None
    padded = np.concatenate([statistics(cases), np.zeros((20, 2))])
    assert interval(family, padded, ratio, 0) is None


@pytest.mark.parametrize("family", FAMILIES)
def test_ten_cases_suffice(family: Family) -> None:
    found = interval(family, statistics(10), ratio, 0)
    assert found is not None
    assert (found.clusters, found.level) == (10, 0.95)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_not_a_number_has_no_interval(family: Family) -> None:
    x = statistics(20)
    x[3, 0] = np.nan
    assert interval(family, x, ratio, 0) is None
    assert interval(family, np.zeros((20, 2)), ratio, 0) is None


def test_families_get_their_methods() -> None:
    x = statistics(30)
    s, n = x.T
    assert interval("rate", x, ratio, 1) == rate_interval(s, n)
    assert interval("mean", x, ratio, 1, bounds=(0, 1)) == mean_interval(s, n, bounds=(0, 1))
    assert interval("corpus", x, ratio, 1) == bootstrap_interval(x, ratio, 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_stratum_is_no_macro_average(family: Family) -> None:
    x = statistics(30)
    assert macro_interval(x[:, None], ratio, 1, family=family) == interval(family, x, ratio, 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_higher_levels_are_wider(family: Family) -> None:
    narrow = interval(family, statistics(30), ratio, 1, level=0.8)
    wide = interval(family, statistics(30), ratio, 1, level=0.99)
    assert narrow is not None
    assert wide is not None
    assert wide.low < narrow.low < narrow.high < wide.high


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="cases, k"):
        interval("rate", np.ones((20, 3, 2)), ratio, 0)
    with pytest.raises(ValueError, match="sum, count"):
        interval("mean", np.ones((20, 3)), ratio, 0)
    with pytest.raises(ValueError, match="replicates"):
        bootstrap_interval(statistics(20), ratio, 0, replicates=5)
