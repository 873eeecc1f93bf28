"""Placing a native scan on the grid: its orientation, its crop, its intensities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.convert.resample import resample_image
from m3dbench.data.geometry import Box, Geometry, orient
from m3dbench.data.raw import Scan
from m3dbench.errors import DataError

HU_WINDOW = (-1024.0, 1500.0)


def place_scan(
    scan: Scan, grid: tuple[int, int, int], window: tuple[float, float] | None = HU_WINDOW
) -> tuple[Geometry, npt.NDArray[np.float32]]:
    """The geometry of a scan and its image (D, H, W), float32, 0..1, on the grid. ``window``: the values that become 0
    and 1, HU unless said; None: the scan's own range, for what is not CT.

    Raises DataError when the values cannot be HU of a CT, or are all the same.
    """
    import nibabel

    orientations: Any = nibabel.orientations
    low, high = window or (float(scan.data.min()), float(scan.data.max()))
    if low == high:
        raise DataError(f"is constant ({low:g} everywhere)", file=scan.path)
    native = orientations.io_orientation(scan.affine)
    # Rows of io_orientation are native axes; the grid wants S, A, R, which are the world axes 2, 1, 0.
    where = {int(world): (axis, bool(sign < 0)) for axis, (world, sign) in enumerate(native)}
    sizes = np.linalg.norm(scan.affine[:3, :3], axis=0)
    orientation = (where[2], where[1], where[0])
    rows = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in scan.affine)
    whole: Box = tuple((0, scan.shape[axis]) for axis, _ in orientation)  # type: ignore[assignment]
    letters = "".join(orientations.aff2axcodes(scan.affine))
    plain = Geometry(scan.shape, rows, letters, orientation, whole, grid, (0.0, 0.0, 0.0), (low, high))
    oriented = orient(scan.data, plain)
    if window is not None and float(oriented.max()) - float(oriented.min()) < 100:
        raise DataError("the values span less than 100: this is not CT in HU", file=scan.path, fix="give HU values")
    crop = _foreground(oriented > low)
    box = tuple(slice(start, stop) for start, stop in crop)
    image = np.clip((resample_image(oriented[box], grid) - low) / (high - low), 0, 1).astype(np.float32)
    extent = [stop - start for start, stop in crop]
    spacing = [float(sizes[axis]) * size / new for (axis, _), size, new in zip(orientation, extent, grid, strict=True)]
    return replace(plain, crop=crop, spacing_mm=(spacing[0], spacing[1], spacing[2])), image


def _foreground(inside: npt.NDArray[np.bool_]) -> Box:
    """The box of the voxels above the window's floor, as the reference crops; the whole volume when none is."""
    edges = []
    for axis in range(3):
        used = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        edges.append((int(used[0]), int(used[-1]) + 1) if used.size else (0, inside.shape[axis]))
    return edges[0], edges[1], edges[2]
