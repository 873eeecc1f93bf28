"""Metrics of boxes (BoxPair): intersection over union, accuracy at a threshold, and presence apart from both."""

from __future__ import annotations

import numpy as np

from m3dbench.metrics.box_quirks import UPSTREAM, box_quirk, box_value, hit, overlap
from m3dbench.metrics.core import Metric, Outcome, each, worst_mean
from m3dbench.metrics.pairs import Box, BoxPair, MaskArray

_UNPARSED = "the answer is neither a box nor a statement of absence"
_ABSENT = "the reference has no box"
_PRESENT = "the reference has a box"


def mask_to_box(mask: MaskArray) -> Box | None:
    """Smallest canonical box (half-open fractions) around the true voxels of a mask (D, H, W); None if there are none.

    Raises ValueError unless the mask has three axes.
    """
    bounds = _index_bounds(mask)
    if bounds is None:
        return None
    (d, h, w), (d0, h0, w0), (d1, h1, w1) = mask.shape, *bounds
    return (d0 / d, h0 / h, w0 / w, (d1 + 1) / d, (h1 + 1) / h, (w1 + 1) / w)


def upstream_box_of_mask(mask: MaskArray) -> Box | None:
    """The reference's box of a mask (D, H, W): first and last index over axis size, to three digits (Q-REC-3)."""
    bounds = _index_bounds(mask)
    if bounds is None:
        return None
    low, high = ([round(index / size, 3) for index, size in zip(side, mask.shape, strict=True)] for side in bounds)
    return (low[0], low[1], low[2], high[0], high[1], high[2])


def box_iou(a: Box, b: Box) -> float:
    """Volume of the intersection over volume of the union of two half-open boxes; 0 where the union has no volume."""
    return overlap(a, b)


def upstream_box_iou(a: Box, b: Box) -> float:
    """The reference's "IoU": intersection over (enclosing volume + 1e-6), of bounds as written (Q-REC-1, Q-REC-2)."""
    return overlap(a, b, UPSTREAM)


def iou() -> Metric:
    """Mean 3D IoU of canonical boxes where the reference has one; no box is 0, an unparsed answer fails with 0."""
    return Metric(
        "iou", BoxPair, each(lambda pair: _overlap(pair, None)), worst_mean(0.0), "3D IoU of half-open boxes, v1"
    )


def acc(*, threshold: float = 0.5) -> Metric:
    """Share of items with a reference box whose IoU reaches ``threshold``, in (0, 1], to within 1e-9."""
    _check_threshold(threshold)
    return Metric(
        name=f"acc@{threshold:g}",
        pair=BoxPair,
        outcomes=each(lambda pair: _overlap(pair, threshold)),
        worst_statistics=worst_mean(0.0),
        signature=f"3D IoU of half-open boxes >= {threshold:g} - 1e-9, v1",
        family="rate",
    )


def acc_20() -> Metric:
    """``acc`` at 0.2, the threshold of the M3D paper."""
    return acc(threshold=0.2)


def acc_25() -> Metric:
    """``acc`` at 0.25."""
    return acc(threshold=0.25)


def acc_50() -> Metric:
    """``acc`` at 0.5."""
    return acc(threshold=0.5)


def presence_sensitivity() -> Metric:
    """Share of items with a reference box that were answered with a box, wherever it lies; unparsed is wrong."""
    return _presence("presence_sensitivity", present=True)


def presence_specificity() -> Metric:
    """Share of items without a reference box that were answered without a box; unparsed is wrong."""
    return _presence("presence_specificity", present=False)


def upstream_iou() -> Metric:
    """The reference's "IoU", read from the two texts; -1 where either has no box that its regex finds (Q-REC-4).

    An item that differs from ``iou`` names the rule that weighs most (``m3dbench.metrics.box_quirks``).
    """

    def outcome(pair: BoxPair) -> Outcome:
        return Outcome("scored", (box_value(pair)[1], 1.0), quirk=box_quirk(pair))

    signature = "M3D 63e7200 IoU: intersection / (enclosing box + 1e-6), -1 for a missing box"
    return Metric("iou", BoxPair, each(outcome), worst_mean(-1.0), signature, worst=-1.0)


def upstream_acc(*, threshold: float = 0.2) -> Metric:
    """Share of *all* items whose upstream IoU is at least ``threshold``, correct refusals counting as misses (Q-REC-4).

    The threshold 0.2 is the paper's and no published code applies it: ">=" over every item is this project's reading.
    """
    _check_threshold(threshold)

    def outcome(pair: BoxPair) -> Outcome:
        return Outcome("scored", (float(hit(box_value(pair)[1], threshold)), 1.0), quirk=box_quirk(pair, threshold))

    return Metric(
        name=f"acc@{threshold:g}",
        pair=BoxPair,
        outcomes=each(outcome),
        worst_statistics=worst_mean(0.0),
        signature=f"M3D 63e7200 IoU >= {threshold:g} over all items (threshold from the paper, comparison ours)",
        family="rate",
    )


def _index_bounds(mask: MaskArray) -> tuple[list[int], list[int]] | None:
    if mask.ndim != 3:
        raise ValueError(f"a mask has three axes (D, H, W), not shape {mask.shape}")
    plane: MaskArray = np.asarray(mask.any(axis=0), dtype=np.bool_)
    if not plane.any():
        return None
    along = [np.flatnonzero(line) for line in (mask.any(axis=(1, 2)), plane.any(axis=1), plane.any(axis=0))]
    return [int(line[0]) for line in along], [int(line[-1]) for line in along]


def _check_threshold(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise ValueError(f"an IoU threshold lies in (0, 1], not {threshold}")


def _overlap(pair: BoxPair, threshold: float | None) -> Outcome:
    if pair.reference is None:
        return Outcome.not_applicable(_ABSENT)
    if pair.unparsed:
        return Outcome.failed((0.0, 1.0), _UNPARSED)
    value = 0.0 if pair.prediction is None else box_iou(pair.prediction, pair.reference)
    return Outcome.scored(value if threshold is None else hit(value, threshold), 1.0)


def _presence(name: str, *, present: bool) -> Metric:
    def outcome(pair: BoxPair) -> Outcome:
        if (pair.reference is not None) != present:
            return Outcome.not_applicable(_ABSENT if present else _PRESENT)
        if pair.unparsed:
            return Outcome.failed((0.0, 1.0), _UNPARSED)
        return Outcome.scored((pair.prediction is not None) == present, 1.0)

    return Metric(name, BoxPair, each(outcome), worst_mean(0.0), f"{name} of boxes, v1", family="rate")
