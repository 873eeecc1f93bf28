"""From an adapter's answer to what the journal keeps: the box converted once, the mask hard and in a shard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.files import DataFiles
from m3dbench.data.prediction import MaskRecord, Prediction, StoredPrediction, hard_mask
from m3dbench.data.sample import AnswerKind, Sample
from m3dbench.errors import DataError
from m3dbench.metrics.absence import states_absence
from m3dbench.metrics.box_convention import BoxConvention
from m3dbench.metrics.box_text import box_from_text, read_box
from m3dbench.metrics.masks import soft_sums
from m3dbench.metrics.pairs import DEFAULT_GRID, Box


def store(
    kind: AnswerKind,
    sample: Sample,
    answer: Prediction,
    convention: BoxConvention,
    files: DataFiles,
    keep_mask: Callable[[npt.NDArray[np.bool_]], MaskRecord],
) -> StoredPrediction:
    """The journal's form of an answer. An answer of the wrong form becomes an ``error`` with the reason."""
    common: dict[str, Any] = {"id": answer.id, "text": answer.text, "wording": answer.wording, "absent": answer.absent}
    if answer.status != "ok":
        return StoredPrediction(status=answer.status, reason=answer.reason, **common)
    if kind in ("choice", "text"):
        if answer.text is None:
            return StoredPrediction(status="error", reason="the adapter gave no text", **common)
        return StoredPrediction(**common)
    if kind == "box":
        box, unparsed = _box(sample, answer, convention, files)
        return StoredPrediction(box=box, unparsed=unparsed, **common)
    return _masked(sample, answer, files, keep_mask, common)


def _box(sample: Sample, answer: Prediction, convention: BoxConvention, files: DataFiles) -> tuple[Box | None, bool]:
    """The canonical box, and whether the answer is unparsed: neither a box nor a statement of absence."""
    if answer.absent:
        return None, False
    grid = files.grid(sample.volume) or DEFAULT_GRID
    if answer.box is not None:
        read = read_box(answer.box, convention=convention, grid=grid)
        return read.box, read.box is None
    text = answer.text or ""
    read = box_from_text(text, convention=convention, grid=grid)
    return read.box, read.box is None and (read.found > 0 or not states_absence(text))


def _masked(
    sample: Sample,
    answer: Prediction,
    files: DataFiles,
    keep_mask: Callable[[npt.NDArray[np.bool_]], MaskRecord],
    common: dict[str, Any],
) -> StoredPrediction:
    if answer.mask is None:
        return StoredPrediction(**common)
    mask = np.asarray(answer.mask)
    if mask.ndim != 3 or mask.dtype.kind not in "bf":
        given = f"a mask of shape {mask.shape} and dtype {mask.dtype}"
        reason = f"the adapter gave {given}; expected (D, H, W), bool or probabilities"
        return StoredPrediction(status="error", reason=reason, **common)
    if mask.dtype.kind == "f" and not (np.isfinite(mask).all() and mask.min() >= 0 and mask.max() <= 1):
        return StoredPrediction(status="error", reason="the adapter gave probabilities outside 0..1", **common)
    soft = None
    if mask.dtype.kind == "f":
        try:
            soft = soft_sums(mask, files.mask(sample.reference.mask))
        except DataError:
            soft = None  # the scorer will say that the reference mask cannot be read
    return StoredPrediction(mask=keep_mask(hard_mask(mask)), soft=soft, **common)
