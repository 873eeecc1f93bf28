"""A volume as RadFM takes it: slices last, three equal channels, nearest-neighbour sizes of its training."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

STEP, DEEPEST, DEEPEST_OF_MANY, MANY = 4, 64, 32, 6
Size = tuple[int, int, int]


def model_size(slices: int, rule: str = "trained", scans: int = 1) -> Size:
    """(H, W, D) for a study whose deepest scan has so many slices; rule: ``trained`` or ``loader``.

    D is the nearest multiple of 4 from 4 to 64 (a tie goes to the smaller). H and W are 512, as the published test
    loader has it; training took 256 where a study deeper than 4 was alone in its batch, which is the usual case of a
    volume, and 32 slices at most where it had more than six scans.
    """
    trained = rule == "trained"
    most = DEEPEST_OF_MANY if trained and scans > MANY else DEEPEST
    depth = min(range(STEP, most + 1, STEP), key=lambda depth: (abs(depth - slices), depth))
    side = 256 if trained and depth > STEP else 512
    return side, side, depth


def normalised(volume: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Values stretched to 0..1, whatever they were; a constant volume becomes zeros, where the reference draws noise.

    Raises ValueError for values that are not finite.
    """
    low, high = float(volume.min()), float(volume.max())
    if not np.isfinite(high - low):
        raise ValueError(f"the volume's values run from {low:g} to {high:g}")
    if high == low:
        return np.zeros_like(volume)
    return (volume - np.float32(low)) / np.float32(high - low)


def resized(images: Tensor, size: Size) -> Tensor:
    """Images (N, C, H, W, D), float32, on another size: nearest neighbour, index floor(i * in / out)."""
    return functional.interpolate(images, size=size, mode="nearest")


def scan(volume: npt.NDArray[np.float32], rule: str = "trained") -> Tensor:
    """A volume (1, D, H, W) as a study of one scan, (1, 3, H, W, D), float32, 0..1."""
    image = torch.from_numpy(np.ascontiguousarray(np.moveaxis(normalised(volume), 1, -1)))[None]
    return resized(image, model_size(volume.shape[1], rule)).expand(-1, 3, -1, -1, -1)
