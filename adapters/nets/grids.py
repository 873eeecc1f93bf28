"""Between a sample's grid and a model's: trilinear both ways, voxel centres aligned as MONAI's ``Resize`` does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

Grid = tuple[int, int, int]


def to_model(volume: npt.NDArray[np.float32], grid: Grid) -> Tensor:
    """A prepared volume (1, D, H, W), 0..1, as images (1, 1, *grid), float32, on the CPU. Raises as ``image_of``."""
    return resized(image_of(volume), grid)


def image_of(volume: npt.NDArray[np.float32]) -> Tensor:
    """A prepared volume (1, D, H, W), 0..1, as an image (1, 1, D, H, W), float32, on the CPU.

    Raises ValueError when values lie outside 0..1 by more than rounding: such a volume was not prepared for the model.
    """
    low, high = float(volume.min()), float(volume.max())
    if low < -1e-4 or high > 1 + 1e-4:
        raise ValueError(f"the volume's values run from {low:g} to {high:g}, and the model was trained on 0..1")
    return torch.from_numpy(np.array(volume))[None]  # a copy: shared volumes are read-only, which torch cannot be told


def resized(images: Tensor, grid: Grid) -> Tensor:
    """Images (B, C, D, H, W) on another grid; as they are where it is the same."""
    if tuple(images.shape[-3:]) == tuple(grid):
        return images
    return functional.interpolate(images.float(), size=grid, mode="trilinear", align_corners=False)


def pooled(patches: Tensor, grid: Grid, size: int) -> Tensor:
    """Patches (B, N, width) on a grid, D slowest, averaged over cubes of ``size``: (B, N / size ** 3, width)."""
    cells: Tensor = patches.transpose(1, 2).reshape(len(patches), -1, *grid)
    # CPUs have no half-precision kernel for this pooling
    return functional.avg_pool3d(cells.float(), size).to(cells.dtype).flatten(2).transpose(1, 2)
