"""The mask metrics that the segmentation tasks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from m3dbench.task import Scoring

MASK_METRICS: Mapping[Scoring, Sequence[str]] = {
    "corrected": (
        "dice",
        "mask_iou",
        "pooled_dice",
        "hd95",
        "nsd",
        "volume_error",
        "mask_presence_sensitivity",
        "mask_presence_specificity",
        "false_positive_voxels",
    ),
    "upstream": ("upstream.dice",),
}
