"""The preparation that M3D's own scripts give to each kind of volume, on numpy alone.

Windowed pictures (Cap), z-scored volumes (Seg) and percentile-clipped volumes (RefSeg) are three conventions; all end
in values in [0, 1], cropped to the foreground and resized to the grid.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from m3dbench.data.foreground import foreground as foreground

S = TypeVar("S", bound=np.generic)
Volume = npt.NDArray[np.float32]
Grid = tuple[int, int, int]

# Level and width in HU, as a display would show them.
DISPLAY = {"lung_window": (-600.0, 1500.0), "bone_window": (400.0, 1800.0)}
_SOFT_TISSUE = (40.0, 400.0)
_STEPS = 4096


def quantise(values: npt.NDArray[np.float64]) -> Volume:
    """Round to multiples of 1/4096, which float32 holds exactly: the last bits of an arithmetic do not reach a file."""
    return (np.rint(values * _STEPS) / _STEPS).astype(np.float32)


def picture(hounsfield: npt.NDArray[np.int16], setting: str) -> npt.NDArray[np.uint8]:
    """Grey values 0 to 255 of a volume (D, H, W) in HU, as an exported image shows them in a phase or window."""
    level, width = DISPLAY.get(setting, _SOFT_TISSUE)
    grey: npt.NDArray[np.uint8] = np.rint(np.clip((hounsfield - (level - width / 2)) / width, 0, 1) * 255).astype(
        np.uint8
    )
    return grey


def _bright(hounsfield: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """The values above the mean."""
    bright: npt.NDArray[np.float64] = hounsfield[hounsfield > hounsfield.sum(dtype=np.int64) / hounsfield.size].astype(
        np.float64
    )
    return bright


def bright_window(hounsfield: npt.NDArray[np.int16]) -> tuple[float, float]:
    """Percentiles 0.05 and 99.95, in HU, of the voxels above the mean: what ``z_score`` clips to."""
    bright = _bright(hounsfield)
    return float(np.percentile(bright, 0.05)), float(np.percentile(bright, 99.95))


def z_score(hounsfield: npt.NDArray[np.int16]) -> Volume:
    """SegVol's normalisation of a volume in HU: clip to percentiles of the voxels above the mean, then z-score."""
    bright = _bright(hounsfield)
    low, high = bright_window(hounsfield)
    return quantise((np.clip(hounsfield, low, high) - bright.mean()) / max(float(bright.std()), 1e-8))


def whole_window(hounsfield: npt.NDArray[np.int16]) -> tuple[float, float]:
    """Percentiles 0.5 and 99.5, in HU: what ``percentile_clip`` clips to."""
    values = hounsfield.astype(np.float64)
    return float(np.percentile(values, 0.5)), float(np.percentile(values, 99.5))


def percentile_clip(hounsfield: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """A volume in HU between its percentiles 0.5 and 99.5 as [0, 1]."""
    low, high = whole_window(hounsfield)
    return np.clip((hounsfield.astype(np.float64) - low) / max(high - low, 1e-8), 0, 1)


def linear(values: npt.NDArray[np.float64], grid: Grid) -> npt.NDArray[np.float64]:
    """Trilinear resize of (D, H, W) to ``grid``, voxel centres at half steps, edges held.

    One axis after the other with element-wise sums only: no matrix product, whose order of summation
    differs by machine.
    """
    for axis, count in enumerate(grid):
        size = values.shape[axis]
        place = np.clip((np.arange(count) + 0.5) * (size / count) - 0.5, 0, size - 1)
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, size - 1)
        share = (place - low).reshape([-1 if other == axis else 1 for other in range(3)])
        values = values.take(low, axis) * (1 - share) + values.take(high, axis) * share
    return values


def nearest(values: npt.NDArray[S], grid: Grid) -> npt.NDArray[S]:
    """Nearest resize of (D, H, W) to ``grid``: output voxel i takes input voxel floor(i * size / count)."""
    for axis, count in enumerate(grid):
        values = values.take(np.arange(count) * values.shape[axis] // count, axis)
    return values


def unit(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Min-max to [0, 1]."""
    shifted = values.astype(np.float64) - float(values.min())
    return shifted / max(float(shifted.max()), 1e-8)


def fit(values: npt.NDArray[np.float64], grid: Grid) -> Volume:
    """Crop (D, H, W) in [0, 1] to its foreground, resize to ``grid``, quantise: float32 (1, D, H, W)."""
    return quantise(linear(values[foreground(values)], grid))[None]
