"""Where in a volume something is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def foreground(values: npt.NDArray[Any]) -> tuple[slice, slice, slice]:
    """The box of all voxels above 0 in a volume (D, H, W); the whole volume when there is none."""
    box = []
    for axis in range(3):
        rest = tuple(other for other in range(3) if other != axis)
        hit = np.flatnonzero((values > 0).any(axis=rest))
        box.append(slice(int(hit[0]), int(hit[-1]) + 1) if hit.size else slice(None))
    return box[0], box[1], box[2]
