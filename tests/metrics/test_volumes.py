"""Volume errors, and the size bins of references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3dbench.metrics import volumes
from m3dbench.metrics.core import Metric, Outcome
from m3dbench.metrics.pairs import MaskArray, MaskPair

GRID = (10, 40, 40)


def of(voxels: int) -> MaskArray:
    return (np.arange(np.prod(GRID)) < voxels).reshape(GRID)


def one(metric: Metric, pair: MaskPair) -> Outcome:
    (outcome,) = metric.outcomes([pair])
    return outcome


@given(st.integers(0, 16000), st.integers(1, 16000))
def test_errors_are_of_volumes_alone(predicted: int, true: int) -> None:
    pair = MaskPair(of(predicted)[::-1], of(true), spacing=(2.0, 5.0, 1.0))
    relative, absolute = one(volumes.volume_error(), pair), one(volumes.volume_error_ml(), pair)
    assert relative.statistics == pytest.approx((abs(predicted - true) / true, 1.0))
    assert absolute.statistics == pytest.approx((abs(predicted - true) * 0.01, 1.0))
    for metric, outcome in ((volumes.volume_error(), relative), (volumes.volume_error_ml(), absolute)):
        worst = metric.worst_statistics(pair)
        assert worst is not None and outcome.statistics is not None
        assert metric.value(worst) >= metric.value(outcome.statistics) - 1e-9


def test_what_cannot_be_judged() -> None:
    assert one(volumes.volume_error(), MaskPair(None, of(5))).statistics == (1.0, 1.0)
    assert one(volumes.volume_error_ml(), MaskPair(of(3), of(5))).status == "unscored"
    assert volumes.volume_error_ml().worst_statistics(MaskPair(None, of(5))) is None
    for metric in (volumes.volume_error(), volumes.volume_error_ml()):
        assert one(metric, MaskPair(of(3), of(0))).status == "not_applicable"
        assert one(metric, MaskPair(of(3)[1:], of(5), spacing=(1, 1, 1))).status == "failed"


@pytest.mark.parametrize(
    ("voxels", "spacing", "size"),
    [
        (1, None, "tiny (< 100 voxels)"),
        (100, None, "small (100 to 1000 voxels)"),
        (9999, None, "medium (1000 to 10000 voxels)"),
        (10000, None, "large (>= 10000 voxels)"),
        (499, (1, 1, 1), "tiny (< 0.5 ml)"),
        (500, (1, 1, 1), "small (0.5 to 5 ml)"),
        (5000, (1, 1, 1), "medium (5 to 50 ml)"),
        (5000, (10, 1, 1), "large (>= 50 ml)"),
    ],
)
def test_sizes(voxels: int, spacing: tuple[float, float, float] | None, size: str) -> None:
    assert volumes.mask_strata(MaskPair(None, of(voxels), spacing=spacing)) == {"presence": "present", "size": size}


def test_an_absent_reference_has_no_size() -> None:
    assert volumes.mask_strata(MaskPair(of(5), of(0), spacing=(1, 1, 1))) == {"presence": "absent"}
