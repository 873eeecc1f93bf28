"""Bringing a volume or a mask to another grid over the same box: pure numpy, separable, memory bounded."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

# Measured on real CT, 3.5-fold fewer slices and back: at 0.9 the mean Dice of small classes is best, below it falls.
_KEPT = 0.9


def resample_image(volume: npt.NDArray[Any], shape: tuple[int, ...]) -> FloatArray:
    """Linear interpolation at the voxel centres of ``shape`` (no corner alignment, no smoothing before, edges held):
    what the M3D models were trained on.
    """
    result: npt.NDArray[Any] = volume
    for axis, size in enumerate(shape):
        low, high, weight = _neighbours(result.shape[axis], size)
        form = [-1 if other == axis else 1 for other in range(len(shape))]
        share = weight.astype(np.float32).reshape(form)
        near, far = (result.take(index, axis).astype(np.float32, copy=False) for index in (low, high))
        result = near * (1 - share) + far * share
    return result.astype(np.float32, copy=False)


def resample_mask(mask: BoolArray, shape: tuple[int, ...]) -> tuple[BoolArray, bool]:
    """Bring a mask to ``shape``: covered share of each new voxel (area where the axis shrinks, linear where it
    grows), kept from one half upwards.

    Where this would lose more than a tenth of the mask's volume (ribs, vessels and small glands between slices 10 mm
    apart) the best covered voxels are kept instead, as many as make up the volume (more where they tie), at least one:
    a structure that is there never vanishes. The flag tells that this happened.
    """
    target = np.zeros(shape, dtype=np.bool_)
    if not mask.any():
        return target, False
    cover: npt.NDArray[Any] = mask
    window = []
    for axis, size in enumerate(shape):
        inside = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        weights = _weights(mask.shape[axis], size)[:, inside[0] : inside[-1] + 1]
        rows = np.flatnonzero(weights.any(axis=1))
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        cover = np.moveaxis(
            np.tensordot(weights[part], cover.take(range(inside[0], inside[-1] + 1), axis), axes=(1, axis)), 0, axis
        )
        window.append(part)
    kept = cover >= 0.5 - 1e-5
    wanted = max(1, round(float(mask.sum()) * math.prod(shape) / math.prod(mask.shape)))
    thin = bool(int(kept.sum()) < _KEPT * wanted)
    if thin:
        level = np.partition(cover, -wanted, axis=None)[-wanted] if wanted < cover.size else 0.0
        kept = cover >= max(float(level), 1e-6)
    target[tuple(window)] = kept
    return target, thin


def _neighbours(old: int, new: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    low = np.floor(place).astype(np.intp)
    return low, np.minimum(low + 1, old - 1), place - low


def _weights(old: int, new: int) -> FloatArray:
    """(new, old) matrix: each row the shares of the old voxels in a new one, summing to 1."""
    matrix = np.zeros((new, old), dtype=np.float32)
    if new >= old:
        low, high, weight = _neighbours(old, new)
        np.add.at(matrix, (np.arange(new), low), 1 - weight)
        np.add.at(matrix, (np.arange(new), high), weight)
        return matrix
    start = np.arange(new)[:, None] * old / new
    begin = np.arange(old)[None, :]
    shared = np.minimum(start + old / new, begin + 1) - np.maximum(start, begin)
    return np.asarray(np.clip(shared, 0, None) * new / old, dtype=np.float32)
