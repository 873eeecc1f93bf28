"""Answers of models that find by segmenting: the mask itself, or the box around it."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from m3dbench.adapter import Query
from m3dbench.data.prediction import Prediction, hard_mask
from m3dbench.metrics.boxes import mask_to_box


def located(query: Query, mask: npt.NDArray[Any], wording: str = "", notes: tuple[str, ...] = ()) -> Prediction:
    """The answer that a mask (D, H, W), bool or probabilities, is. An empty one states that the target is not there.

    A request to locate gets the canonical box of all its voxels.
    """
    box = mask_to_box(hard_mask(mask))
    if query.request.kind == "locate":
        return Prediction(query.id, box=box, absent=box is None, wording=wording, notes=notes)
    return Prediction(query.id, mask=mask, absent=box is None, wording=wording, notes=notes)
