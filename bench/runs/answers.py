"""From an adapter's answer to what the journal keeps: the box converted once, masks hard, arrays in shards."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.files import DataFiles
from m3dbench.data.prediction import Prediction, StoredPrediction, hard_mask, runs_of
from m3dbench.data.sample import AnswerKind, Sample
from m3dbench.errors import DataError
from m3dbench.metrics.absence import states_absence
from m3dbench.metrics.box_convention import BoxConvention
from m3dbench.metrics.box_text import box_from_text, read_box
from m3dbench.metrics.masks import soft_sums
from m3dbench.metrics.pairs import DEFAULT_GRID, Box
from m3dbench.runs.arrays import Arrays


def store(
    kind: AnswerKind,
    sample: Sample,
    answer: Prediction,
    convention: BoxConvention,
    files: DataFiles,
    arrays: Arrays,
    index: int,
) -> StoredPrediction:
    """The journal's form of the answer to the manifest's index-th sample.

    An answer of the wrong form becomes an ``error`` with the reason.
    """
    common: dict[str, Any] = {
        "id": answer.id,
        "text": answer.text,
        "wording": answer.wording,
        "absent": answer.absent,
        "prompt_ids": runs_of(answer.prompt_ids),
        "notes": answer.notes,
        "slices": answer.slices,
    }
    if answer.status != "ok":
        return StoredPrediction(status=answer.status, reason=answer.reason, **common)
    if kind in ("choice", "text"):
        if answer.text is None:
            return StoredPrediction(status="error", reason="the adapter gave no text", **common)
        return StoredPrediction(**common)
    if kind == "box":
        box, unparsed = _box(sample, answer, convention, files)
        return StoredPrediction(box=box, unparsed=unparsed, **common)
    if kind == "embedding":
        return _embedded(answer, arrays, index, common)
    return _masked(sample, answer, files, arrays, index, common)


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
    arrays: Arrays,
    index: int,
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
        except (DataError, ValueError):
            soft = None  # the scorer will say that the reference mask cannot be read, or has another shape
    return StoredPrediction(mask=arrays.masks.add(index, hard_mask(mask)), soft=soft, **common)


def _embedded(answer: Prediction, arrays: Arrays, index: int, common: dict[str, Any]) -> StoredPrediction:
    given = {"image": answer.image_embedding, "text": answer.text_embedding}
    reason = ""
    vectors = []
    for name, value in given.items():
        vector = np.asarray(value)
        several = name == "image" and vector.ndim == 2 and len(vector) > 0
        if value is None:
            reason = reason or f"the adapter gave no {name} embedding"
        elif not (vector.ndim == 1 or several) or vector.dtype.kind != "f":
            told = f"shape {vector.shape} and dtype {vector.dtype}"
            also = " or, of a volume's views, 2-D ones" if name == "image" else ""
            reason = reason or f"the adapter gave an {name} embedding of {told}; expected 1-D floats{also}"
        else:
            with np.errstate(over="ignore", under="ignore"):
                vectors.append(np.atleast_2d(vector).astype(np.float32))
    reason = reason or _unusable(vectors, arrays.embeddings.dimensions)
    if reason:
        return StoredPrediction(status="error", reason=reason, **common)
    return StoredPrediction(embedding=arrays.embeddings.add(index, np.concatenate(vectors)), **common)


def _unusable(vectors: list[npt.NDArray[np.float32]], dimensions: int | None) -> str:
    """Why these embeddings cannot be compared with each other and with the earlier ones; empty where they can."""
    sizes = [vector.shape[1] for vector in vectors]
    if len(set(sizes)) > 1:
        return f"the adapter gave an image embedding of {sizes[0]} numbers and a text embedding of {sizes[1]}"
    if dimensions is not None and sizes[0] != dimensions:
        return f"the adapter gave embeddings of {sizes[0]} numbers, and of {dimensions} before"
    if not all(np.isfinite(vector).all() and vector.any(axis=1).all() for vector in vectors):
        return "the adapter gave an embedding that is zero or not finite"
    return ""
