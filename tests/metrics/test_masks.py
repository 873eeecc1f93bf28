"""Masks: overlap, presence and false positives, hard and as the reference computes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from m3dbench.metrics import masks
from m3dbench.metrics.core import FloatArray, Metric, Outcome
from m3dbench.metrics.pairs import MaskArray, MaskPair

METRICS = [
    masks.dice(),
    masks.mask_iou(),
    masks.pooled_dice(),
    masks.mask_presence_sensitivity(),
    masks.mask_presence_specificity(),
    masks.false_positive_voxels(),
    masks.upstream_dice(),
]
SHAPE = (2, 3, 4)
EMPTY = np.zeros(SHAPE, dtype=bool)
FULL = np.ones(SHAPE, dtype=bool)
TOP = EMPTY.copy()
TOP[0] = True
PLACEHOLDER = np.zeros((1, 1, 1, 1), dtype=bool)
WRONG_SHAPE = np.ones((2, 3, 5), dtype=bool)
EVERY = [
    MaskPair(prediction, reference)
    for reference in (FULL, TOP, EMPTY, PLACEHOLDER)
    for prediction in (None, EMPTY, TOP, FULL, WRONG_SHAPE)
]

some_mask = hnp.arrays(np.bool_, SHAPE)


def _sums(metric: Metric, pairs: Sequence[MaskPair]) -> FloatArray:
    judged = [outcome.statistics for outcome in metric.outcomes(pairs) if outcome.statistics is not None]
    assert len(judged) == len(pairs)
    total: FloatArray = np.asarray(judged, dtype=np.float64).sum(axis=0)
    return total


def _one(metric: Metric, pair: MaskPair) -> Outcome:
    (outcome,) = metric.outcomes([pair])
    return outcome


def _value(metric: Metric, prediction: MaskArray | None, reference: MaskArray) -> float:
    outcome = _one(metric, MaskPair(prediction, reference))
    assert outcome.status == "scored"
    assert outcome.statistics is not None
    return metric.value(outcome.statistics)


@given(some_mask, some_mask.filter(np.any))
def test_overlap_is_that_of_sets(prediction: MaskArray, reference: MaskArray) -> None:
    p, g = set(np.flatnonzero(prediction)), set(np.flatnonzero(reference))
    dice = 2 * len(p & g) / (len(p) + len(g))
    assert _value(masks.dice(), prediction, reference) == pytest.approx(dice)
    assert _value(masks.pooled_dice(), prediction, reference) == pytest.approx(dice)
    assert _value(masks.mask_iou(), prediction, reference) == pytest.approx(dice / (2 - dice))


@pytest.mark.filterwarnings("ignore")
def test_overlap_agrees_with_monai() -> None:
    torch: Any = pytest.importorskip("torch")
    monai: Any = pytest.importorskip("monai.metrics")
    random = np.random.default_rng(7)
    for density in (0.02, 0.3, 0.7):
        prediction, reference = random.random((2, 8, 16, 12)) < density
        batch = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (prediction, reference)]
        dice = float(monai.DiceMetric(include_background=True)(*batch))
        iou = float(monai.compute_iou(*batch, include_background=True))
        assert _value(masks.dice(), prediction, reference) == pytest.approx(dice, abs=1e-6)
        assert _value(masks.mask_iou(), prediction, reference) == pytest.approx(iou, abs=1e-6)


def test_nothing_predicted_is_zero_and_an_absent_reference_does_not_apply() -> None:
    for metric in METRICS[:3]:
        assert _value(metric, None, TOP) == _value(metric, EMPTY, TOP) == 0
        assert _value(metric, TOP, TOP) == 1
        assert _one(metric, MaskPair(TOP, EMPTY)).status == "not_applicable"


def test_pooled_dice_sums_voxels_before_dividing() -> None:
    metric = masks.pooled_dice()
    sums = _sums(metric, [MaskPair(TOP, FULL), MaskPair(None, TOP)])
    assert metric.aggregate(sums) == pytest.approx(2 * 12 / (12 + 24 + 0 + 12))
    assert (metric.family, metric.aggregate(np.ones((7, 2))).shape) == ("corpus", (7,))


def test_presence() -> None:
    sensitivity, specificity = masks.mask_presence_sensitivity(), masks.mask_presence_specificity()
    assert [_value(sensitivity, mask, FULL) for mask in (None, EMPTY, TOP)] == [0, 0, 1]
    assert [_value(specificity, mask, EMPTY) for mask in (None, EMPTY, TOP)] == [1, 1, 0]
    assert _one(sensitivity, MaskPair(TOP, EMPTY)).status == "not_applicable"
    assert _one(specificity, MaskPair(TOP, FULL)).status == "not_applicable"
    assert _value(masks.mask_presence_specificity(minimum_voxels=13), TOP, EMPTY) == 1
    with pytest.raises(ValueError, match="minimum_voxels"):
        masks.mask_presence_sensitivity(minimum_voxels=0)


def test_false_positives_are_a_share_of_the_grid() -> None:
    metric = masks.false_positive_voxels()
    assert [_value(metric, mask, EMPTY) for mask in (None, EMPTY, TOP, FULL)] == [0, 0, 0.5, 1]
    assert _value(metric, TOP, PLACEHOLDER) == 0.5
    assert _one(metric, MaskPair(TOP, TOP)).status == "not_applicable"
    assert (metric.direction, metric.worst) == ("lower", 1.0)


@pytest.mark.parametrize("metric", METRICS[:6], ids=lambda metric: str(metric.name))
def test_a_wrong_shape_is_the_models_failure(metric: Metric) -> None:
    outcomes = [_one(metric, MaskPair(WRONG_SHAPE, reference)) for reference in (TOP, EMPTY)]
    (judged,) = [outcome for outcome in outcomes if outcome.status != "not_applicable"]
    assert judged.status == "failed"
    assert "shape" in judged.reason


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: str(metric.signature))
def test_failures_carry_the_worst_statistics(metric: Metric) -> None:
    for pair in EVERY:
        outcome = _one(metric, pair)
        if outcome.status == "failed":
            assert outcome.statistics == metric.worst_statistics(pair)
        if outcome.status in ("failed", "scored"):
            assert outcome.statistics is not None
            worst = metric.value(metric.worst_statistics(pair))
            assert worst == metric.worst
            sign = 1 if metric.direction == "higher" else -1
            assert sign * (metric.value(outcome.statistics) - worst) >= 0


def test_a_single_true_voxel_is_no_placeholder() -> None:
    assert _one(masks.dice(), MaskPair(TOP, np.ones((1, 1, 1), dtype=bool))).status == "failed"


class TestUpstream:
    @pytest.mark.parametrize("n", [1, 10])
    def test_smoothing_in_the_denominator_only(self, n: int) -> None:
        mask = EMPTY.copy()
        mask.flat[:n] = True
        assert _value(masks.upstream_dice(), mask, mask) == pytest.approx(2 * n / (2 * n + 1))

    def test_absent_classes_are_items_worth_zero(self) -> None:
        for reference in (EMPTY, PLACEHOLDER):
            for prediction in (None, EMPTY, FULL):
                outcome = _one(masks.upstream_dice(), MaskPair(prediction, reference))
                assert outcome == Outcome("scored", (0.0, 1.0), quirk="Q-SEG-2")

    def test_no_mask_is_zero(self) -> None:
        assert _value(masks.upstream_dice(), None, TOP) == 0

    def test_soft_sums_come_before_the_hard_mask(self) -> None:
        soft = masks.soft_sums(np.full(SHAPE, 0.5), TOP)
        outcome = _one(masks.upstream_dice(), MaskPair(TOP, TOP, soft))
        assert outcome == Outcome("scored", (2 * 6 / (12 + 12 + 1), 1.0), quirk="Q-SEG-1")

    def test_background_probability_drowns_a_small_organ(self) -> None:
        reference = np.zeros((32, 256, 256), dtype=bool)
        reference[10, :20, :100] = True
        soft = masks.soft_sums(np.where(reference, np.float32(1), np.float32(0.001)), reference)
        outcome = _one(masks.upstream_dice(), MaskPair(reference, reference, soft))
        assert outcome.statistics == pytest.approx((0.656, 1), abs=1e-3)

    def test_a_wrong_shape_is_unscored(self) -> None:
        assert _one(masks.upstream_dice(), MaskPair(WRONG_SHAPE, TOP)).status == "unscored"


class TestSoftSums:
    @given(hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32)), some_mask)
    def test_sums(self, probabilities: np.ndarray, reference: MaskArray) -> None:
        p, g = probabilities.astype(np.float64), reference.astype(np.float64)
        assert masks.soft_sums(probabilities, reference) == pytest.approx((p.sum(), (p * g).sum()))

    def test_hard_masks_are_their_own_probabilities(self) -> None:
        assert masks.soft_sums(TOP.astype(np.float32), FULL) == (12, 12)

    def test_placeholders_are_broadcast(self) -> None:
        assert masks.soft_sums(np.full(SHAPE, 0.25), PLACEHOLDER) == (6, 0)

    def test_rejects(self) -> None:
        for bad in (np.nan, -0.1, 1.1):
            with pytest.raises(ValueError, match=r"\[0, 1\]"):
                masks.soft_sums(np.full(SHAPE, bad), TOP)
        with pytest.raises(ValueError, match="shape"):
            masks.soft_sums(np.zeros((2, 3, 5)), TOP)
