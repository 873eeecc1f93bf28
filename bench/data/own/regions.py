"""Writing the masks and boxes of one volume of own data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.convert.prepared import ROOT, save_array
from m3dbench.data.geometry import Geometry, orient, to_grid, write_geometry
from m3dbench.data.own.checks import Problem
from m3dbench.data.own.rows import Row
from m3dbench.data.raw import Scan, read_scan
from m3dbench.data.readers import boxes as box_layout
from m3dbench.errors import UserError


@dataclass(frozen=True)
class Job:
    """Where volumes go and how: window None is the scan's own range. many: cases with more than one volume."""

    folder: Path
    code: str
    names: list[str]
    grid: tuple[int, int, int]
    window: tuple[float, float] | None
    problems: list[Problem]
    many: frozenset[str]

    def place(self, row: Row) -> str:
        """The folder of a volume where the layout gives each one its own."""
        return f"{row.case}--{row.series}" if row.case in self.many else row.case


def boxed(rows: list[Row]) -> list[str]:
    """The classes with boxes, in the order in which a volume's box files are numbered."""
    return list(dict.fromkeys(row.name for row in rows if row.box))


def what(error: UserError) -> str:
    """An error of a file as one line."""
    return error.message + (f" [{Path(error.file).name}]" if error.file else "")


def write_masks(job: Job, rows: list[Row], scan: Scan, geometry: Geometry, volume: npt.NDArray[Any]) -> None:
    """The masks of one volume (1, D, H, W), in M3D-Seg's layout, with the way back to the scan."""
    folder = job.folder / ROOT / job.code / job.place(rows[0])
    digests = {"image.npy": save_array(folder / "image.npy", volume)}
    thin: list[int] = []
    absent: list[int] = []
    for row in rows:
        if row.mask is None:
            continue
        try:
            values = _mask_values(row.mask, scan)
        except UserError as error:
            job.problems.append(Problem(row.line, "mask", what(error), error.fix or "give another file"))
            continue
        native = values == row.label if row.label is not None else values > 0
        index = job.names.index(row.name)
        mask, needed = to_grid(native, geometry)
        stored = mask[np.newaxis] if mask.any() else np.zeros((1, 1, 1, 1), dtype=np.bool_)
        digests[f"masks/mask_{index}.npy"] = save_array(folder / "masks" / f"mask_{index}.npy", stored)
        thin += [index] if needed else []
        absent += [] if mask.any() else [index]
    told = {int(name.split("_")[1].split(".")[0]) for name in digests if "_" in name}
    complete = replace(
        geometry,
        thin=tuple(sorted(thin)),
        absent=tuple(sorted(absent)),
        unlabelled=tuple(index for index in range(len(job.names)) if index not in told),
        source=rows[0].volume.name,
        digests=digests,
    )
    write_geometry(folder / "geometry.json", complete)


def _mask_values(path: Path, scan: Scan) -> npt.NDArray[Any]:
    """A mask (X, Y, Z) on the voxels of the scan."""
    if path.suffix != ".npy":
        from m3dbench.data.raw.nifti import read_labels

        return read_labels(path, scan)
    if scan.placed:
        told = f"an npy mask has no place in space, {scan.path.name} has"
        raise UserError(told, file=path, fix="write the mask as NIfTI with the affine of the volume")
    values = read_scan(path).data
    if values.shape != scan.shape:
        told = f"the mask has (D, H, W) {values.shape[::-1]}, the volume {scan.shape[::-1]}"
        raise UserError(told, file=path, fix="give a mask of the volume's shape")
    return values


def write_boxes(job: Job, rows: list[Row], scan: Scan, geometry: Geometry, volume: npt.NDArray[Any]) -> None:
    """One filled box a class; several boxes of a class become the box around all of them, as M3D boxes a mask."""
    folder = job.folder / box_layout.FOLDER / job.code / job.place(rows[0])
    save_array(folder / "image.npy", volume)
    digests: dict[str, str] = {}
    for index, name in enumerate(boxed(rows)):
        native = np.zeros(scan.shape, dtype=np.bool_)
        view = orient(native, geometry)
        for row in rows:
            if row.box is None or row.name != name:
                continue
            if any(end > size for end, size in zip(row.box[3:], view.shape, strict=True)):
                told = f"the box ends outside of the volume, which has (D, H, W) {view.shape}"
                job.problems.append(Problem(row.line, "d2", told, "give voxel indices of the volume itself"))
                continue
            d1, h1, w1, d2, h2, w2 = row.box
            view[d1:d2, h1:h2, w1:w2] = True
        around = [np.flatnonzero(view.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
        if not all(edge.size for edge in around):
            continue
        view[tuple(slice(int(edge[0]), int(edge[-1]) + 1) for edge in around)] = True
        mask, _ = to_grid(native, geometry)
        if not mask.any():
            line = next(row.line for row in rows if row.name == name and row.box)
            told = "the box lies wholly in the empty border, which is cropped"
            job.problems.append(Problem(line, "d1", told, "check the axes: D superior, H anterior, W right"))
        digests[f"box_{index}.npy"] = save_array(folder / f"box_{index}.npy", mask[np.newaxis])
    write_geometry(folder / "geometry.json", replace(geometry, source=rows[0].volume.name, digests=digests))
