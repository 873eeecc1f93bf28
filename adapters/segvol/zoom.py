"""SegVol's two looks at a scan: the whole at the network's grid, then windows at full resolution around what it found.

Tensors are (1, 1, D, H, W).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from m3dbench.adapters.nets.grids import Grid

OVERLAP = 0.5
PERCENTILES = (0.05, 99.95)
Slices = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Region:
    """A box of voxels; ``high`` is inclusive, and may equal the axis length, as the published code has it."""

    low: Grid
    high: Grid

    @property
    def slices(self) -> Slices:
        depth, height, width = (slice(low, high + 1) for low, high in zip(self.low, self.high, strict=True))
        return depth, height, width


def normalised(volume: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What SegVol was trained on, in 0..1: voxels clipped to percentiles of those above the mean.

    The z-score between is left out, since a linear map changes nothing that the last step does not undo.
    """
    bright = volume[volume > volume.mean()]
    if not bright.size:
        return np.zeros_like(volume)
    low, high = np.percentile(bright, PERCENTILES)
    clipped = np.clip(volume, low, high)
    low, high = float(clipped.min()), float(clipped.max())
    return np.asarray((clipped - low) / max(high - low, 1e-8), dtype=np.float32)


def foreground(image: Tensor) -> Slices:
    """The bounding box of the voxels above 0; everything where there is none."""
    box = bounds(image[0, 0] > 0)
    if box is None:
        return slice(0, image.shape[2]), slice(0, image.shape[3]), slice(0, image.shape[4])
    return box.slices


def bounds(mask: Tensor) -> Region | None:
    """The bounding box of a mask (D, H, W); None where it is empty."""
    low, high = [], []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        seen = mask.any(dim=others[1]).any(dim=others[0]).nonzero()
        if not len(seen):
            return None
        low.append(int(seen[0]))
        high.append(int(seen[-1]))
    return Region((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def whole_view(full: Tensor, grid: Grid) -> Tensor:
    """The whole scan at the network's grid."""
    return functional.interpolate(full, size=grid, mode="nearest-exact")


def whole_logits(logits: Tensor, size: Grid) -> Tensor:
    """Logits of the whole view on the scan's grid: ``nearest``, whose cells lie otherwise than ``nearest-exact``'s."""
    return functional.interpolate(logits, size=size, mode="nearest")


def region(logits: Tensor, window: Grid) -> Region | None:
    """The box to look at again: around logits above 0, padded towards a window; None where there are none."""
    box = bounds(logits[0, 0] > 0)
    if box is None:
        return None
    low, high = [], []
    for axis, size in enumerate(logits.shape[2:]):
        pad = max(0, window[axis] - (box.high[axis] - box.low[axis] + 1)) // 2
        low.append(max(0, box.low[axis] - pad))
        high.append(min(size, box.high[axis] + pad))
    return Region((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def slide(image: Tensor, window: Grid, look: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean of ``look`` over windows that overlap by half; an image smaller than a window lies in zeros."""
    missing = [max(0, size - have) for size, have in zip(window, image.shape[2:], strict=True)]
    before = [size // 2 for size in missing]
    pads = [pad for axis in (2, 1, 0) for pad in (before[axis], missing[axis] - before[axis])]
    padded = functional.pad(image, pads)
    total, times = torch.zeros_like(padded), torch.zeros_like(padded)
    for start in product(*(starts(size, wide) for size, wide in zip(padded.shape[2:], window, strict=True))):
        place: Any = (..., *(slice(first, first + wide) for first, wide in zip(start, window, strict=True)))
        total[place] += look(padded[place])
        times[place] += 1
    inner: Any = (..., *(slice(first, first + size) for first, size in zip(before, image.shape[2:], strict=True)))
    return (total / times)[inner]


def starts(size: int, window: int) -> list[int]:
    """Where windows start along an axis; the last one ends with the axis."""
    step = max(1, int(window * (1 - OVERLAP)))
    count = 1 + max(0, -(-(size - window) // step))
    return [min(place * step, size - window) for place in range(count)]
