"""The reference's steps: MONAI's own transforms, in the reference's order, on less memory than a plain call takes.

Each function gives the same bits as the plain call; ``tests/data/test_prepare_recipe.py`` holds them to it.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.geometry import Box
from m3dbench.data.prepare.recipe import Grid
from m3dbench.errors import DataError, missing_extra

FloatArray = npt.NDArray[np.float32]
PERCENTILES = (0.5, 99.5)
FLOOR = 1e-8


@lru_cache(maxsize=1)
def transforms() -> Any:
    """``monai.transforms``, with one thread a process. Raises UserError where it is not installed."""
    try:
        import torch
        from monai import transforms as found
    except ImportError as error:
        raise missing_extra("The reference's recipe", "prepare") from error
    torch.set_num_threads(1)
    return found


def require() -> None:
    """Raises UserError, at once and without importing them, where torch or MONAI are not installed."""
    if not all(find_spec(name) for name in ("torch", "monai")):
        raise missing_extra("Preparing M3D-Data", "prepare")


def foreground(volume: npt.NDArray[Any]) -> Box:
    """The box (D, H, W) of the voxels above 0 of a volume (1, D, H, W): the one to which CropForeground crops.

    Raises DataError when no voxel is: the reference fails on such a volume too.
    """
    above = volume[0] > 0
    if not above.any():
        raise DataError("the volume is constant: nothing is left after the crop")
    depth, height, width = (np.flatnonzero(above.any(axis=rest)) for rest in ((1, 2), (0, 2), (0, 1)))
    return _span(depth), _span(height), _span(width)


def _span(used: npt.NDArray[np.intp]) -> tuple[int, int]:
    return int(used[0]), int(used[-1]) + 1


def cut(volume: npt.NDArray[Any], box: Box) -> npt.NDArray[Any]:
    """A view of a volume (..., D, H, W) inside a box."""
    inside: tuple[Any, ...] = (..., *(slice(low, high) for low, high in box))
    return np.asarray(volume[inside])


def fit(volume: npt.NDArray[Any], grid: Grid) -> FloatArray:
    """A volume (1, D, H, W) on the grid by Resize's ``bilinear``, which is trilinear here, float32."""
    resize = transforms().Resize(spatial_size=list(grid), mode="bilinear")
    return np.ascontiguousarray(resize(np.ascontiguousarray(volume, dtype=np.float32)), dtype=np.float32)


@lru_cache(maxsize=64)
def nearest(size: int, new: int) -> npt.NDArray[np.intp]:
    """Which of ``size`` voxels along an axis each of ``new`` takes in Resize's ``nearest``."""
    resize = transforms().Resize(spatial_size=[new], mode="nearest")
    ramp: npt.NDArray[np.float32] = np.asarray(resize(np.arange(size, dtype=np.float32)[np.newaxis]))
    return np.asarray(ramp[0], dtype=np.intp)


def fit_labels(labels: npt.NDArray[Any], box: Box, grid: Grid) -> npt.NDArray[Any]:
    """Labels or a mask (D, H, W), cut to the box, on the grid by Resize's ``nearest``; the dtype stays."""
    picked = [low + nearest(high - low, new) for (low, high), new in zip(box, grid, strict=True)]
    return np.asarray(labels[np.ix_(*picked)])


def unit(volume: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Less the minimum, over the maximum; in place where the values are floats."""
    inside = volume.dtype.kind == "f"
    volume = np.subtract(volume, volume.min(), out=volume if inside else None)
    top = np.clip(volume.max(), FLOOR, None)
    return np.asarray(np.divide(volume, top, out=volume if inside else None))


def unit_table(low: int, high: int, depth: int) -> FloatArray:
    """Pixel value -> value in 0..1 of a stack of pictures whose pixels run from ``low`` to ``high`` of 0..``depth``:
    over ``depth``, less the minimum, over the maximum."""
    table = np.arange(depth + 1, dtype=np.uint32).astype(np.float32) / np.float32(depth)
    table = table - table[low]
    return np.asarray(table / np.clip(table[high], np.float32(FLOOR), None), dtype=np.float32)


def percentile_scaled(volume: npt.NDArray[np.float64]) -> tuple[FloatArray, tuple[float, float]]:
    """A volume (1, D, H, W) between its percentiles 0.5 and 99.5 as 0..1, clipped, float32; and those percentiles.

    ScaleIntensityRangePercentiles slice by slice: its percentiles are of the whole, the scaling is voxel by voxel.
    """
    found = transforms()
    import torch
    from monai.transforms.utils_pytorch_numpy_unification import percentile

    tensor = torch.from_numpy(volume)
    low, high = (percentile(tensor, q) for q in PERCENTILES)
    scale = found.ScaleIntensityRange(a_min=low, a_max=high, b_min=0.0, b_max=1.0, clip=True)
    scaled = np.empty(volume.shape, dtype=np.float32)
    for index in range(volume.shape[1]):
        scaled[:, index] = np.asarray(scale(tensor[:, index]))
    return scaled, (float(low), float(high))
