"""Prediction: what a model answered to one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

PredictionStatus = Literal["ok", "error", "refused"]
STATUSES: tuple[PredictionStatus, ...] = ("ok", "error", "refused")
ARRAYS = ("mask", "embedding")
"""The fields of a stored prediction whose content lies in shards."""


@dataclass(frozen=True, slots=True)
class ArrayRecord:
    """Where a stored array lies: shard file, byte range of its container, SHA-256 of those bytes, shape."""

    shard: str
    offset: int
    length: int
    digest: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SliceWeights:
    """How much each slice of a volume counted in an answer.

    weights: of equal parts of the voxels ``first`` to ``stop`` (half-open) along D, in their order; none negative,
    their sum 1.
    """

    weights: tuple[float, ...]
    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """An adapter's answer to one query.

    text: what the model said; None when it does not speak.
    box: six numbers in the adapter's declared convention; None when it gives none.
    mask: (D, H, W), bool for a hard mask or float probabilities in 0..1 (thresholded at 0.5); None when it gives none.
    image_embedding, text_embedding: of the volume and of the request's text, 1-D float arrays of one length in one
    space, compared by cosine; None when it gives none. A volume may have several, (views, dimensions), such as one a
    slice: the most similar one counts.
    absent: the model states that the target is not there.
    status: ``error`` and ``refused`` carry a reason; their other fields are kept for reading, never scored.
    wording: the exact prompt, where the adapter words requests itself. prompt_ids: its token ids.
    notes: what is worth counting about how the answer came about, in a few fixed words ("no [SEG]"); in the summary.
    slices: how much each slice counted; None where the model does not say.
    """

    id: str
    text: str | None = None
    box: tuple[float, ...] | None = None
    mask: npt.NDArray[Any] | None = None
    image_embedding: npt.NDArray[Any] | None = None
    text_embedding: npt.NDArray[Any] | None = None
    absent: bool = False
    status: PredictionStatus = "ok"
    reason: str = ""
    wording: str = ""
    prompt_ids: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    slices: SliceWeights | None = None


@dataclass(frozen=True, slots=True)
class StoredPrediction:
    """A prediction as the journal keeps it: the box canonical (half-open fractions), arrays in shards.

    mask: of shape (D, H, W). embedding: of shape (views + 1, dimensions), the image's, then the text's.
    soft: (sum p, sum p*g) where the model gave probabilities, since masks are stored hard.
    unparsed: a box was asked for and the text holds neither a box nor a statement of absence.
    prompt_ids: runs (token id, how often in a row), since a volume's place in a prompt is hundreds of equal ids.
    """

    id: str
    status: PredictionStatus = "ok"
    text: str | None = None
    box: tuple[float, float, float, float, float, float] | None = None
    mask: ArrayRecord | None = None
    embedding: ArrayRecord | None = None
    soft: tuple[float, float] | None = None
    absent: bool = False
    unparsed: bool = False
    reason: str = ""
    wording: str = ""
    prompt_ids: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()
    slices: SliceWeights | None = None

    def to_json(self) -> dict[str, Any]:
        row: dict[str, Any] = {"id": self.id, "status": self.status}
        for name in ("text", "box", "soft"):
            value = getattr(self, name)
            if value is not None:
                row[name] = value
        for name in ARRAYS:
            record = getattr(self, name)
            if record is not None:
                row[name] = {field: getattr(record, field) for field in ArrayRecord.__slots__}
        for name in ("absent", "unparsed", "reason", "wording", "prompt_ids", "notes"):
            if value := getattr(self, name):
                row[name] = value
        if self.slices is not None:
            row["slices"] = {field: getattr(self.slices, field) for field in SliceWeights.__slots__}
        return row

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> StoredPrediction:
        values = dict(row)
        for name in ARRAYS:
            if values.get(name):
                values[name] = ArrayRecord(**{**values[name], "shape": tuple(values[name]["shape"])})
        for name in ("box", "soft"):
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        values["prompt_ids"] = tuple((token, times) for token, times in values.get("prompt_ids", ()))
        values["notes"] = tuple(values.get("notes", ()))
        if (slices := values.get("slices")) is not None:
            values["slices"] = SliceWeights(tuple(slices["weights"]), slices["first"], slices["stop"])
        return StoredPrediction(**values)


def runs_of(ids: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Token ids as runs (id, how often in a row)."""
    return tuple((token, len(list(same))) for token, same in groupby(ids))


def hard_mask(mask: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """The stored form of a mask: bool as it is, probabilities above 0.5."""
    return mask if mask.dtype == np.bool_ else np.asarray(mask > 0.5)
