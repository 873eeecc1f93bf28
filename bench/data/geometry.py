"""From a native scan to the prepared grid and back: what ``geometry.json`` holds and the pure functions that use it.

Convention of every grid written with a geometry: the scan is brought to RAS+ and its axes are reversed to (D, H, W),
so

* D runs from inferior (index 0) to superior,
* H runs from posterior (index 0) to anterior,
* W runs from the patient's left (index 0) to the patient's right.

The code of this convention is ``"SAR"``: the direction in which each index grows. It is what M3D's own preparation
(X, Y, Z to Z, Y, X) gives for a RAS file; that preparation has no orientation step, so other files of M3D-Seg may run
otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.convert.resample import BoolArray, resample_mask
from m3dbench.errors import UserError

GRID_AXES = "SAR"
FORMAT = 1
FILE_NAME = "geometry.json"
_RUNS = {"S": "inferior to superior", "A": "posterior to anterior", "R": "left to right"} | {
    "I": "superior to inferior",
    "P": "anterior to posterior",
    "L": "right to left",
}

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Geometry:
    """How one case came from its native scan to the grid. All boxes half-open, all spacings in mm.

    ``orientation`` names, for D, H and W in turn, the native axis and whether it is flipped; ``crop`` is the (D, H,
    W) box kept of the oriented scan; ``hu_window`` = (lo, hi) with stored value = clip((HU - lo) / (hi - lo), 0, 1).
    ``thin`` are the class indices for which a plain half-coverage threshold would have lost more than half of the
    volume, ``absent`` those with no voxel in the scan, ``unlabelled`` those the source says nothing about (no item is
    written for them). ``axes_code``: another than the convention above only where the data keep axes of their own.
    """

    native_shape: tuple[int, int, int]
    native_affine: tuple[tuple[float, float, float, float], ...]
    native_axes: str
    orientation: tuple[tuple[int, bool], tuple[int, bool], tuple[int, bool]]
    crop: Box
    grid: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    hu_window: tuple[float, float]
    thin: tuple[int, ...] = ()
    absent: tuple[int, ...] = ()
    unlabelled: tuple[int, ...] = ()
    source: str = ""
    source_digest: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    axes_code: str = GRID_AXES

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Native voxel index to RAS+ world, mm, (4, 4)."""
        return np.asarray(self.native_affine, dtype=np.float64)

    @property
    def grid_affine(self) -> npt.NDArray[np.float64]:
        """Grid index (D, H, W) to RAS+ world, mm, (4, 4); voxel centres."""
        index = np.zeros((4, 4))
        index[3, 3] = 1.0
        for grid_axis, ((axis, flip), (start, stop), size) in enumerate(
            zip(self.orientation, self.crop, self.grid, strict=True)
        ):
            scale = (stop - start) / size
            first = start + 0.5 * scale - 0.5
            index[axis, grid_axis] = -scale if flip else scale
            index[axis, 3] = self.native_shape[axis] - 1 - first if flip else first
        return np.asarray(self.affine @ index)


def orient(array: npt.NDArray[Any], geometry: Geometry) -> npt.NDArray[Any]:
    """View of a native array (native shape) with axes (D, H, W) in the convention above, not cropped."""
    view = array.transpose([axis for axis, _ in geometry.orientation])
    return view[tuple(slice(None, None, -1 if flip else 1) for _, flip in geometry.orientation)]


def unorient(array: npt.NDArray[Any], geometry: Geometry) -> npt.NDArray[Any]:
    """Inverse of :func:`orient`: an oriented, uncropped (D, H, W) array as a view in native axis order."""
    view = array[tuple(slice(None, None, -1 if flip else 1) for _, flip in geometry.orientation)]
    return view.transpose(np.argsort([axis for axis, _ in geometry.orientation]))


def to_grid(mask: BoolArray, geometry: Geometry) -> tuple[BoolArray, bool]:
    """Bring a native mask (native shape, bool) to the grid (D, H, W). The flag tells whether the thin-structure rule
    of :func:`resample_mask` was needed.
    """
    _need_shape(mask, geometry.native_shape, "native_shape")
    cropped = orient(mask, geometry)[tuple(slice(*edge) for edge in geometry.crop)]
    return resample_mask(cropped, geometry.grid)


def to_native(mask: BoolArray, geometry: Geometry) -> tuple[BoolArray, npt.NDArray[np.float64]]:
    """Bring a grid mask (D, H, W), bool, back to the scan: (mask of native shape, affine (4, 4) voxel to RAS+ mm).
    Outside the crop box it is False.
    """
    _need_shape(mask, geometry.grid, "grid")
    size = [geometry.native_shape[axis] for axis, _ in geometry.orientation]
    oriented = np.zeros(size, dtype=np.bool_)
    box = tuple(slice(*edge) for edge in geometry.crop)
    oriented[box] = resample_mask(mask, tuple(stop - start for start, stop in geometry.crop))[0]
    return np.ascontiguousarray(unorient(oriented, geometry)), geometry.affine


def _need_shape(mask: BoolArray, shape: tuple[int, ...], field_name: str) -> None:
    if mask.shape != shape:
        raise UserError(
            f"a mask of shape {mask.shape} does not fit a geometry with {field_name} {shape}",
            field=field_name,
            fix="use the geometry.json of the same case",
        )


def write_geometry(path: Path, geometry: Geometry) -> None:
    """Write ``geometry.json`` (sorted keys, so equal geometries give equal bytes)."""
    path.write_text(json.dumps(to_json(geometry), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def to_json(geometry: Geometry) -> dict[str, Any]:
    """The content of ``geometry.json``."""
    return {
        "format": FORMAT,
        "axes": {axis: _RUNS[code] for axis, code in zip("DHW", geometry.axes_code, strict=True)},
        "mask_rule": "cover >= 0.5; thin: volume kept",
        **asdict(geometry),
    }


def read_geometry(path: Path) -> Geometry:
    """Read ``geometry.json``. Raises :class:`UserError` naming the file and field when it is missing, torn, or of
    another format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the geometry: {error}", file=path, fix="convert the case again") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(
            f"not a geometry of format {FORMAT}",
            file=path,
            field="format",
            fix="convert the case again with this version",
        )
    try:
        return _parse(content)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"the geometry is incomplete: {error}", file=path, field=str(error).strip("'"), fix="convert the case again"
        ) from error


def _parse(content: Mapping[str, Any]) -> Geometry:
    def triple(name: str) -> tuple[int, int, int]:
        first, second, third = (int(value) for value in content[name])
        return first, second, third

    depth, height, width = (float(value) for value in content["spacing_mm"])
    low, high = (float(value) for value in content["hu_window"])
    crop_d, crop_h, crop_w = ((int(start), int(stop)) for start, stop in content["crop"])
    axis_d, axis_h, axis_w = ((int(axis), bool(flip)) for axis, flip in content["orientation"])
    rows = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in content["native_affine"])
    return Geometry(
        native_shape=triple("native_shape"),
        native_affine=rows,
        native_axes=str(content["native_axes"]),
        orientation=(axis_d, axis_h, axis_w),
        crop=(crop_d, crop_h, crop_w),
        grid=triple("grid"),
        spacing_mm=(depth, height, width),
        hu_window=(low, high),
        thin=tuple(int(value) for value in content["thin"]),
        absent=tuple(int(value) for value in content["absent"]),
        unlabelled=tuple(int(value) for value in content["unlabelled"]),
        source=str(content["source"]),
        source_digest=str(content["source_digest"]),
        digests={str(name): str(value) for name, value in content["digests"].items()},
        axes_code=str(content["axes_code"]),
    )
