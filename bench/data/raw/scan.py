"""A scan in memory: voxels and where they lie in space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Scan:
    """A volume: ``data`` (X, Y, Z) in stored axis order, ``affine`` (4, 4) voxel index to RAS+ world in mm.

    placed: the affine comes from the file; False where the file has none (npy), and the affine is the identity.
    notes: what a user should know of how it was read, each a sentence: uneven slices, gantry tilt, what was left out.
    """

    path: Path
    data: npt.NDArray[Any]
    affine: npt.NDArray[np.float64]
    placed: bool = True
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        width, height, depth = self.data.shape
        return width, height, depth
