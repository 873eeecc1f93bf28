"""Metrics of hard masks (MaskPair): overlap where the reference is present, presence and false positives apart from it.

A reference without a voxel is *absent*; if it is one false voxel, as M3D-Seg stores absent classes, a prediction of any
shape fits it. Else a predicted mask of another shape than the reference is the model's failure, with the worst value.
No predicted mask (None) and an empty one are the same answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.metrics.core import SAME, FloatArray, Metric, Outcome, Statistics, each, ratio, worst_mean
from m3dbench.metrics.pairs import MaskPair

ABSENT = "the reference has no voxel"
PRESENT = "the reference has voxels"


def dice() -> Metric:
    """Mean hard Dice 2 |P & G| / (|P| + |G|) over present references; nothing predicted is 0."""
    return _overlap("dice", "hard Dice, v1", lambda shared, both: (2 * shared / both, 1.0))


def mask_iou() -> Metric:
    """Mean hard IoU |P & G| / |P | G| over present references; nothing predicted is 0."""
    return _overlap("mask_iou", "hard IoU of masks, v1", lambda shared, both: (shared / (both - shared), 1.0))


def pooled_dice() -> Metric:
    """Dice of all voxels together: 2 sum |P & G| / sum (|P| + |G|) over present references.

    Statistics (|P & G|, |P| + |G|) in voxels; the worst answer is an empty mask, (0, |G|).
    """

    def worst(pair: MaskPair) -> Statistics:
        return (0.0, float(np.count_nonzero(pair.reference)))

    def aggregate(sums: FloatArray) -> FloatArray:
        return 2.0 * ratio(sums)

    def statistics(shared: int, both: int) -> Statistics:
        return (float(shared), float(both))

    return _overlap("pooled_dice", "hard Dice of summed voxels, v1", statistics, worst, aggregate)


def mask_presence_sensitivity(*, minimum_voxels: int = 1) -> Metric:
    """Share of present references answered with a mask of at least ``minimum_voxels``, wherever it lies."""
    return _presence("mask_presence_sensitivity", minimum_voxels, present=True)


def mask_presence_specificity(*, minimum_voxels: int = 1) -> Metric:
    """Share of absent references answered with a mask of fewer than ``minimum_voxels``, or with none."""
    return _presence("mask_presence_specificity", minimum_voxels, present=False)


def false_positive_voxels() -> Metric:
    """Mean share of the predicted grid that is marked, over absent references: in [0, 1], lower is better, worst 1."""

    def outcome(pair: MaskPair) -> Outcome:
        if pair.reference.any():
            return Outcome.not_applicable(PRESENT)
        if reason := misshapen(pair):
            return Outcome.failed((1.0, 1.0), reason)
        if pair.prediction is None:
            return Outcome.scored(0.0, 1.0)
        return Outcome.scored(np.count_nonzero(pair.prediction) / pair.prediction.size, 1.0)

    return Metric(
        name="false_positive_voxels",
        pair=MaskPair,
        outcomes=each(outcome),
        worst_statistics=worst_mean(1.0),
        signature="predicted voxels / grid voxels on absent references, v1",
        direction="lower",
        worst=1.0,
        best=0.0,
    )


def soft_sums(probabilities: npt.NDArray[np.floating[Any]], reference: npt.NDArray[Any]) -> tuple[float, float]:
    """(sum p, sum p * g) of probabilities in [0, 1] and a binary reference of the same shape: ``MaskPair.soft``.

    A reference of one voxel is broadcast, as M3D-Seg stores absent classes. Sums are in float64. Raises
    ValueError for another shape, or for a probability that is NaN or outside [0, 1].
    """
    if probabilities.size and not (probabilities.min() >= 0 and probabilities.max() <= 1):
        raise ValueError("probabilities must lie in [0, 1]")
    mask = np.asarray(reference, dtype=np.bool_)
    if mask.size != 1 and mask.shape != probabilities.shape:
        raise ValueError(f"probabilities {probabilities.shape} and reference {mask.shape} differ in shape")
    total = float(np.sum(probabilities, dtype=np.float64))
    if mask.size == 1:
        return total, total if mask.all() else 0.0
    return total, float(np.sum(probabilities[mask], dtype=np.float64))


def upstream_dice() -> Metric:
    """The reference's soft Dice 2 sum(p g) / (sum p + sum g + 1), over every item (Q-SEG-1, Q-SEG-2).

    p is ``pair.soft`` where the model gave probabilities, else the hard mask; no mask is p = 0. An absent reference is
    0 whatever was predicted. A hard mask of another shape is unscored: the reference cannot multiply the two (SHAPE).
    An item that differs from ``dice`` names the rule that weighs most.
    """

    def outcome(pair: MaskPair) -> Outcome:
        volume = int(np.count_nonzero(pair.reference))
        if volume == 0:
            return Outcome("scored", (0.0, 1.0), quirk="Q-SEG-2")
        reason = misshapen(pair)
        if reason and pair.soft is None:
            return Outcome.unscored(reason, "SHAPE")
        hard = (0, 0) if reason else _hard_sums(pair)
        total, shared = pair.soft or hard
        value = 2 * shared / (total + volume + 1)
        quirk = "SHAPE" if reason else _dice_quirk(value, (total, shared), hard, volume)
        return Outcome("scored", (value, 1.0), quirk=quirk)

    signature = "M3D 63e7200 soft Dice: 2 sum(p g) / (sum p + sum g + 1), all items"
    return Metric("dice", MaskPair, each(outcome), worst_mean(0.0), signature)


def _dice_quirk(value: float, soft: tuple[float, float], hard: tuple[int, int], volume: int) -> str:
    """The rule (soft sums, or 1 in the divisor) whose switching off, alone, brings the value nearest to hard Dice."""
    wanted = 2 * hard[1] / (hard[0] + volume)
    if abs(value - wanted) <= SAME:
        return ""
    without = {"Q-SEG-1": 2 * hard[1] / (hard[0] + volume + 1), "Q-SEG-2": 2 * soft[1] / (soft[0] + volume)}
    return min(sorted(without, reverse=True), key=lambda quirk: abs(without[quirk] - wanted))


def _hard_sums(pair: MaskPair) -> tuple[int, int]:
    """(|P|, |P & G|) in voxels."""
    if pair.prediction is None:
        return 0, 0
    shared = np.logical_and(pair.prediction, pair.reference)
    return int(np.count_nonzero(pair.prediction)), int(np.count_nonzero(shared))


def misshapen(pair: MaskPair) -> str:
    """Why a predicted mask does not fit the reference's grid; empty where it does."""
    placeholder = pair.reference.size == 1 and not pair.reference.any()
    if pair.prediction is None or placeholder or pair.prediction.shape == pair.reference.shape:
        return ""
    return f"the predicted mask has shape {pair.prediction.shape}, the reference {pair.reference.shape}"


def _overlap(
    name: str,
    signature: str,
    statistics: Callable[[int, int], Statistics],
    worst: Callable[[MaskPair], Statistics] | None = None,
    aggregate: Callable[[FloatArray], FloatArray] = ratio,
) -> Metric:
    """A metric of (|P & G|, |P| + |G|) over present references."""
    worst_statistics = worst or worst_mean(0.0)

    def outcome(pair: MaskPair) -> Outcome:
        volume = int(np.count_nonzero(pair.reference))
        if volume == 0:
            return Outcome.not_applicable(ABSENT)
        if reason := misshapen(pair):
            return Outcome.failed(worst_statistics(pair), reason)
        predicted, shared = _hard_sums(pair)
        return Outcome.scored(*statistics(shared, predicted + volume))

    return Metric(
        name=name,
        pair=MaskPair,
        outcomes=each(outcome),
        worst_statistics=worst_statistics,
        signature=signature,
        family="corpus" if worst else "mean",
        aggregate=aggregate,
    )


def _presence(name: str, minimum_voxels: int, *, present: bool) -> Metric:
    if minimum_voxels < 1:
        raise ValueError(f"minimum_voxels must be at least 1, not {minimum_voxels}")

    def outcome(pair: MaskPair) -> Outcome:
        if bool(pair.reference.any()) != present:
            return Outcome.not_applicable(ABSENT if present else PRESENT)
        if reason := misshapen(pair):
            return Outcome.failed((0.0, 1.0), reason)
        found = pair.prediction is not None and np.count_nonzero(pair.prediction) >= minimum_voxels
        return Outcome.scored(found == present, 1.0)

    signature = f"{name}, at least {minimum_voxels} voxels, v1"
    return Metric(name, MaskPair, each(outcome), worst_mean(0.0), signature, family="rate")
