"""M3D-RefSeg: a scan and its objects as NIfTI, to two volumes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from m3dbench.data.convert.place import place_scan
from m3dbench.data.convert.prepared import digest, save_array
from m3dbench.data.geometry import FILE_NAME, Box, Geometry, to_grid, write_geometry
from m3dbench.data.prepare import reference
from m3dbench.data.prepare.recipe import Job, Recipe, Written
from m3dbench.data.raw import Scan, read_scan
from m3dbench.data.raw.nifti import read_floats, read_labels
from m3dbench.errors import DataError, UserError

ROOT, RAW = "M3D_RefSeg_npy", "M3D_RefSeg"
SCANS = ("ct.nii.gz", "ct.nii", "ct", "dicom")
MASKS = ("mask.nii.gz", "mask.nii", "labels.nii.gz")
TEXT = "text.json"
LAYOUT = "CASE/ct.nii.gz (or a DICOM folder CASE/dicom), CASE/mask.nii.gz and CASE/text.json"
ORDER = (2, 0, 1)
"""The reference's axes: (X, Y, Z) to (Z, X, Y)."""


@dataclass(frozen=True)
class PrepareRefSeg:
    """source: ``M3D_RefSeg`` or the folder above it."""

    source: Path
    recipe: Recipe
    kind: ClassVar[str] = "refseg"

    def jobs(self) -> list[Job]:
        for base in (self.source, self.source / RAW):
            jobs = [job for folder in sorted(base.glob("*/")) if (job := _job(folder)) is not None]
            if jobs:
                return jobs
        raise UserError("no M3D-RefSeg case was found", file=self.source, fix=f"expected {LAYOUT}")

    def write(self, job: Job, folder: Path) -> Written:
        for part in ("ct", "mask"):
            if part not in job.inputs:
                raise DataError(f"the case has no {part}", fix=f"expected {LAYOUT}")
        done = self._upstream(job, folder) if self.recipe.upstream else self._corrected(job, folder)
        if TEXT in job.inputs:
            shutil.copyfile(job.inputs[TEXT], folder / TEXT)
            done.outputs[TEXT] = digest([folder / TEXT])
        else:
            done.notes.append(f"the case has no {TEXT}")
        return done

    def _upstream(self, job: Job, folder: Path) -> Written:
        if job.inputs["ct"].is_dir():
            raise DataError(
                "the reference's recipe knows NIfTI scans only",
                file=job.inputs["ct"],
                fix="prepare DICOM with --recipe corrected",
            )
        scan = read_floats(job.inputs["ct"])
        scaled, window = reference.percentile_scaled(scan.data.transpose(ORDER)[np.newaxis])
        box = reference.foreground(scaled)
        image = reference.fit(reference.cut(scaled, box), self.recipe.grid)
        bare = replace(scan, data=np.empty((0, 0, 0)))
        shape = scan.shape
        del scaled, scan
        labels = read_floats(job.inputs["mask"])
        if labels.shape != shape:
            raise DataError(f"the mask has shape {labels.shape}, the scan {shape}", file=job.inputs["mask"])
        native = labels.data.transpose(ORDER)
        mask = reference.fit_labels(native, box, self.recipe.grid).astype(np.float32)[np.newaxis]
        lost = np.setdiff1d(np.unique(native.astype(np.uint16)), np.unique(mask.astype(np.uint16)))
        geometry = _geometry(bare, shape, box, self.recipe.grid, window)
        return _save(folder, job, image, mask, geometry, [int(value) for value in lost])

    def _corrected(self, job: Job, folder: Path) -> Written:
        scan = read_scan(job.inputs["ct"], self.recipe.series)
        labels = read_labels(job.inputs["mask"], scan)
        geometry, image = place_scan(scan, self.recipe.grid)
        mask, thin, lost = _labels_on_grid(labels, geometry)
        done = _save(folder, job, image[np.newaxis], mask[np.newaxis], replace(geometry, thin=thin), lost)
        done.notes += scan.notes
        return done

    def finish(self, directory: Path, finished: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[str]]:
        files = []
        tables = [path for base in (self.source, self.source / RAW) for path in sorted(base.glob("M3D_RefSeg_*.csv"))]
        for path in tables:
            target = directory / RAW / path.name
            target.parent.mkdir(exist_ok=True)
            if path.resolve() != target.resolve():
                shutil.copyfile(path, target)
            files.append(f"{RAW}/{path.name}")
        notes = [] if tables else ["no table M3D_RefSeg_*.csv was found: without its questions nothing can be asked"]
        lost = sum(len(record["lost"]) for record in finished.values())
        if lost:
            notes.append(f"{lost:,} objects have voxels in the scan but none on the grid")
        return files, notes


def _job(folder: Path) -> Job | None:
    if folder.name.startswith("."):
        return None
    choices = {"ct": SCANS, "mask": MASKS, TEXT: (TEXT,)}
    found = {
        part: next((folder / name for name in names if (folder / name).exists()), None)
        for part, names in choices.items()
    }
    inputs = {part: path for part, path in found.items() if path is not None}
    if not inputs.keys() & {"ct", "mask"}:
        return None
    return Job(folder.name, f"{ROOT}/{folder.name}", inputs)


def _labels_on_grid(
    labels: npt.NDArray[Any], geometry: Geometry
) -> tuple[npt.NDArray[np.uint16], tuple[int, ...], list[int]]:
    """Objects on the grid, the small ones over the large where they meet; the thin ones, and those with no voxel."""
    values, sizes = np.unique(labels, return_counts=True)
    if values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
        raise DataError(f"object numbers run from {values.min()} to {values.max()}, expected 0 to 65535")
    mask = np.zeros(geometry.grid, dtype=np.uint16)
    thin = []
    objects = [int(value) for value in values[np.argsort(-sizes, kind="stable")] if value != 0]
    for value in objects:
        fitted, needed = to_grid(labels == value, geometry)
        mask[fitted] = value
        thin += [value] * needed
    return mask, tuple(sorted(thin)), sorted(set(objects) - {int(value) for value in np.unique(mask)})


def _geometry(
    scan: Scan, shape: tuple[int, int, int], box: Box, grid: tuple[int, int, int], window: tuple[float, float]
) -> Geometry:
    import nibabel

    tools: Any = nibabel.orientations
    letters = "".join(tools.aff2axcodes(scan.affine))
    sizes = np.linalg.norm(scan.affine[:3, :3], axis=0)
    spacing = [
        float(sizes[axis]) * (stop - start) / new for axis, (start, stop), new in zip(ORDER, box, grid, strict=True)
    ]
    rows = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in scan.affine)
    return Geometry(
        native_shape=shape,
        native_affine=rows,
        native_axes=letters,
        orientation=((ORDER[0], False), (ORDER[1], False), (ORDER[2], False)),
        crop=box,
        grid=grid,
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
        hu_window=window,
        axes_code="".join(letters[axis] for axis in ORDER),
    )


def _save(
    folder: Path, job: Job, image: npt.NDArray[Any], mask: npt.NDArray[Any], geometry: Geometry, lost: list[int]
) -> Written:
    done = Written(facts={"objects": int(np.unique(mask).size - 1), "lost": lost})
    done.outputs["ct.npy"] = save_array(folder / "ct.npy", image)
    done.outputs["mask.npy"] = save_array(folder / "mask.npy", mask)
    whole = replace(geometry, source=f"{job.name}/{job.inputs['ct'].name}", digests=dict(done.outputs))
    write_geometry(folder / FILE_NAME, whole)
    done.outputs[FILE_NAME] = digest([folder / FILE_NAME])
    return done
