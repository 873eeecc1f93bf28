"""Volumes and masks as the viewer's pages take them: montages of slices, or NIfTI."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.files import DataFiles, Mask
from m3dbench.data.geometry import Geometry
from m3dbench.data.sample import FileRef
from m3dbench.data.slices import AXES, GAP, Slices, Window, montage, pictures, png
from m3dbench.errors import DataError, UserError, missing_extra
from m3dbench.report.mask_export import geometry_of
from m3dbench.report.overlay import flips_of
from m3dbench.report.viewer.windows import windows_of

Grid = tuple[int, int, int]
_WHOLE = Window(0.0, 1.0)


@dataclass(frozen=True)
class Space:
    """How a grid (D, H, W) is shown. spacing: mm per voxel, None where unknown: then it is shown as a cube.
    axes: where the axes grow in the data (``"SAR"``), None where unknown: then as stored. They are shown as "IPL"."""

    grid: Grid
    spacing: tuple[float, float, float] | None = None
    axes: str | None = None
    hu_window: tuple[float, float] | None = None

    @staticmethod
    def of(grid: Grid, geometry: Geometry | None) -> Space:
        """Of a volume of this grid with this ``geometry.json``."""
        if geometry is None or geometry.grid != grid:
            return Space(grid)
        return Space(grid, geometry.spacing_mm, geometry.axes_code, geometry.hu_window)

    @property
    def sizes(self) -> tuple[float, float, float]:
        """Size of a voxel: mm where known, else parts of a cube."""
        depth, height, width = self.spacing or tuple(max(self.grid) / length for length in self.grid)
        return depth, height, width

    @property
    def flip(self) -> str:
        return "".join(axis for axis, flip in zip(AXES, flips_of(self.axes), strict=True) if flip)

    def to_json(self) -> dict[str, Any]:
        return {
            "grid": self.grid,
            "sizes": [round(size, 6) for size in self.sizes],
            "spacing": self.spacing,
            "flips": flips_of(self.axes),
            "letters": self.axes is not None,
        }


def space_of(files: DataFiles, volume: FileRef | None, grid: Grid) -> Space:
    """The space of a sample's volume, or of a bare grid where there is none. Raises UserError on torn geometries."""
    try:
        return Space.of(files.grid(volume) or grid, geometry_of(files.root, volume))
    except DataError:
        raise
    except UserError:
        return Space(grid)


def volume_document(files: DataFiles, volume: FileRef) -> dict[str, Any]:
    """A volume: its space, windows, and all its slices along D in one PNG. Raises DataError when it cannot be read."""
    values = files.volume(volume)[0]
    space = space_of(files, volume, _grid(values))
    low, high = float(values.min()), float(values.max())
    shown = Window(low, high)
    windows = windows_of(values, (low, high), space.hu_window)
    return {**space.to_json(), "range": [low, high], "windows": windows, **_atlas(values, shown, space.flip)}


def mask_document(mask: Mask, space: Space) -> dict[str, Any]:
    """A mask (D, H, W) of this space: voxels, bounds of its slices, and all its slices along D in one PNG."""
    told: dict[str, Any] = {"voxels": int(mask.sum()), "grid": mask.shape}
    if space.spacing is not None:
        told["ml"] = round(told["voxels"] * math.prod(space.spacing) / 1000, 2)
    if mask.any():
        told |= _atlas(mask.astype(np.float32), _WHOLE, space.flip)
    return told


def nifti(array: npt.NDArray[Any], space: Space) -> bytes:
    """An array (D, H, W) as an uncompressed NIfTI file whose axes are those of the picture: W to the left of the
    patient, H to the back, D to the feet. Needs nibabel."""
    try:
        import nibabel
    except ImportError as error:
        raise missing_extra("Showing volumes with NiiVue", "data") from error
    flipped = array[tuple(slice(None, None, -1 if flip else 1) for flip in flips_of(space.axes))]
    depth, height, width = space.sizes
    values = flipped.transpose(2, 1, 0).astype(np.uint8 if array.dtype == np.bool_ else np.float32)
    image = nibabel.Nifti1Image(values, np.diag([-width, -height, -depth, 1.0]))  # type: ignore[no-untyped-call]
    return bytes(image.to_bytes())


def same_grid(mask: Mask, grid: Grid, what: Path | str) -> Mask:
    """The mask, one of an absent class as zeros of this grid. Raises DataError when it has another grid."""
    if mask.size == 1 and not mask.any():
        return np.zeros(grid, dtype=np.bool_)
    if mask.shape != grid:
        raise DataError(f"has shape {mask.shape}, the volume {grid}", file=what, fix="use the same grid")
    return mask


def _grid(values: npt.NDArray[Any]) -> Grid:
    depth, height, width = values.shape
    return depth, height, width


def _atlas(values: npt.NDArray[Any], window: Window, flip: str) -> dict[str, Any]:
    columns = math.ceil(math.sqrt(values.shape[0]))
    how = Slices(count=values.shape[0], windows=(window,), size=0, flip=flip)
    content = png(montage(pictures(values, how), columns))
    return {"columns": columns, "gap": GAP, "png": "data:image/png;base64," + base64.b64encode(content).decode()}
