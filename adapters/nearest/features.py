"""Simple features of a volume: what is where, and how bright things are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

BLOCKS = 8
QUANTILES = 32
STRIDES = (1, 2, 2)
SMALLEST_SPREAD = 1e-6


def describe(volume: FloatArray) -> FloatArray:
    """(1, D, H, W) -> (8 * 8 * 8 + 32,): block means over a grid, then quantiles of the intensity histogram.

    Quantiles, since they need no range and so fit any unit; they are taken over every second voxel of a slice's axes.
    """
    voxels = volume[0]
    levels = np.quantile(voxels[tuple(slice(None, None, step) for step in STRIDES)], np.linspace(0, 1, QUANTILES))
    return np.concatenate([_block_means(voxels).ravel(), levels]).astype(np.float32)


def _block_means(voxels: FloatArray) -> npt.NDArray[np.float64]:
    """(D, H, W) -> (8, 8, 8); an axis of fewer voxels repeats them."""
    means: npt.NDArray[np.float64] = voxels.astype(np.float64)
    for axis, size in enumerate(voxels.shape):
        starts = np.arange(BLOCKS) * size // BLOCKS
        counts = np.maximum(np.diff(starts, append=size), 1)
        shape = [-1 if other == axis else 1 for other in range(3)]
        means = np.add.reduceat(means, starts, axis=axis) / counts.reshape(shape)
    return means


class Scale:
    """Standardises features on a train set; blocks and quantiles weigh the same as groups."""

    def __init__(self, train: FloatArray) -> None:
        """train: (volumes, features)."""
        self._mean = train.mean(axis=0)
        spread = train.std(axis=0)
        groups = np.repeat([BLOCKS**3, QUANTILES], [BLOCKS**3, QUANTILES])
        self._weight = np.where(spread > SMALLEST_SPREAD, 1 / (np.maximum(spread, SMALLEST_SPREAD) * groups**0.5), 0)

    def __call__(self, features: FloatArray) -> FloatArray:
        """(..., features) -> (..., features); a feature that never varies counts for nothing."""
        return np.asarray((features - self._mean) * self._weight, dtype=np.float32)
