"""From a sample and its stored prediction to the pair of values that a metric judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from m3dbench.data.prediction import StoredPrediction
from m3dbench.data.sample import MaskRef, Sample
from m3dbench.metrics.box_text import box_to_text
from m3dbench.metrics.pairs import (
    DEFAULT_GRID,
    BoxPair,
    ChoicePair,
    JudgedPair,
    MaskArray,
    MaskPair,
    RetrievalPair,
    TextPair,
)
from m3dbench.runs.masks import read_mask


@dataclass(frozen=True)
class PairMaker:
    """Makes pairs of the kinds that metrics declare.

    reference_mask and predicted_mask read mask files (D, H, W) and raise DataError; geometry gives the grid (D, H, W)
    and the spacing in mm of a sample's volume, None where unknown. gallery places a sample among all of its test set.
    """

    reference_mask: Callable[[MaskRef], MaskArray]
    predicted_mask: Callable[[StoredPrediction], MaskArray | None]
    grid: Callable[[Sample], tuple[int, int, int]] = lambda _: DEFAULT_GRID
    spacing: Callable[[Sample], tuple[float, float, float] | None] = lambda _: None
    gallery: Callable[[Sample], RetrievalPair] | None = None

    def make(self, kind: type[Any], sample: Sample, prediction: StoredPrediction) -> Any:
        """A pair of the declared kind. Raises DataError when a stored array or a reference mask cannot be read."""
        request, reference = sample.request, sample.reference
        if kind is TextPair:
            present = reference.present is not False
            return TextPair(prediction.text or "", reference.text, reference.names, present)
        if kind is JudgedPair:
            return JudgedPair(prediction.text or "", reference.text, request.question)
        if kind is ChoicePair:
            return ChoicePair(prediction.text or "", reference.choice, request.choices)
        if kind is BoxPair:
            grid = self.grid(sample)
            told = box_to_text(prediction.box, grid) if prediction.box is not None else ""
            return BoxPair(
                prediction=prediction.box,
                reference=reference.box,
                prediction_text=prediction.text if prediction.text is not None else told,
                reference_text=reference.text
                or (box_to_text(reference.box, grid) if reference.box is not None else ""),
                grid=grid,
                unparsed=prediction.unparsed,
            )
        if kind is MaskPair:
            return self._masks(sample, prediction)
        if kind is RetrievalPair and self.gallery is not None:
            return self.gallery(sample)
        raise TypeError(f"no pair of kind {kind.__name__} can be made")

    def blank(self, kind: type[Any], pair: Any) -> Any:
        """The same reference beside no answer: tells whether a metric applies to a sample whose prediction failed."""
        if kind is RetrievalPair:
            return replace(pair, image_to_text=None, text_to_image=None)
        empty: Any = "" if kind in (TextPair, JudgedPair, ChoicePair) else None
        changes: dict[str, Any] = {"prediction": empty}
        if kind is BoxPair:
            changes.update(prediction_text="", unparsed=True)
        if kind is MaskPair:
            changes.update(soft=None)
        return replace(pair, **changes)

    def _masks(self, sample: Sample, prediction: StoredPrediction) -> MaskPair:
        if sample.reference.mask is None:
            raise TypeError(f"sample {sample.id} has no reference mask")
        reference = self.reference_mask(sample.reference.mask)
        predicted = self.predicted_mask(prediction)
        if reference.size == 1 and not reference.any() and predicted is not None:
            reference = np.zeros(predicted.shape, dtype=np.bool_)  # M3D-Data stores an absent class as one voxel
        return MaskPair(predicted, reference, prediction.soft, self.spacing(sample))


def stored_masks(folder: Path) -> Callable[[StoredPrediction], MaskArray | None]:
    """Reader of the masks in a task folder's shards."""

    def read(prediction: StoredPrediction) -> MaskArray | None:
        return None if prediction.mask is None else read_mask(folder / "masks", prediction.mask)

    return read


def text_pairs() -> PairMaker:
    """A maker of pairs of texts alone: it reads no file."""

    def no_mask(_: object) -> MaskArray:
        raise TypeError("a pair of texts has no mask")

    return PairMaker(reference_mask=no_mask, predicted_mask=no_mask)
