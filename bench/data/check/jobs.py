"""What a worker process does: the files of a few records are read once and looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from m3dbench.data.arrays import array_header, need_file, read_array
from m3dbench.data.check.kinds import Finding, of_error
from m3dbench.data.check.words import FEWEST_CHARACTERS, garbled
from m3dbench.data.dataset import DataRoot, read_text
from m3dbench.data.files import inside, load_mask, load_volume
from m3dbench.data.geometry import FILE_NAME, read_geometry
from m3dbench.data.sample import FileRef, MaskRef
from m3dbench.errors import DataError, UserError

Grid = tuple[int, ...]
TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A mask to look at. labels: the objects that must be in it; empty for a binary file."""

    file: FileRef
    record: str
    labels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """Files that belong together: a volume with its masks, or a text. record: where the list names them."""

    record: str
    volume: FileRef | None = None
    text: FileRef | None = None
    masks: tuple[MaskFile, ...] = ()


@dataclass(frozen=True)
class Worker:
    """Looks at chunks of jobs; travels to other processes. quick: headers and sizes alone, no values."""

    root: Path
    quick: bool = False

    def __call__(self, steps: Sequence[Job | Finding]) -> tuple[int, list[Finding]]:
        """How many files were looked at, and what was found; findings on the lists keep their place between the jobs,
        so that the order is the same for any number of processes."""
        files = 0
        found: list[Finding] = []
        for step in steps:
            if isinstance(step, Finding):
                found.append(step)
            else:
                files += (step.volume is not None) + (step.text is not None) + len(step.masks)
                found += self._job(step)
        return files, found

    def _job(self, job: Job) -> Iterator[Finding]:
        if job.text is not None:
            yield from self._unless_changed(job.text, self._text(job.text, job.record))
        grid: Grid | None = None
        if job.volume is not None:
            found: list[Finding] = []
            grid = self._volume(job.volume, job.record, found)
            yield from self._unless_changed(job.volume, iter(found))
            yield from self._geometry(job.volume, grid)
        for mask in job.masks:
            yield from self._unless_changed(mask.file, self._mask(mask, grid))

    def _unless_changed(self, ref: FileRef, findings: Iterator[Finding]) -> Iterator[Finding]:
        """The findings; where there are none but notes, whether the file has the digest that the data set declares."""
        told = list(findings)
        yield from told
        if ref.digest and not self.quick and all(finding.kind == "absent_class" for finding in told):
            with inside(self.root, ref.path).open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != ref.digest:
                    yield Finding("changed", ref.path, "its SHA-256 is not the one in m3dbench-data.json")

    def _text(self, ref: FileRef, record: str) -> Iterator[Finding]:
        try:
            if self.quick:
                need_file(inside(self.root, ref.path), ref.path)
                return
            text = read_text(DataRoot(self.root), ref.path)
        except DataError as error:
            yield of_error(error, ref.path, record)
            return
        if len("".join(text.split())) < FEWEST_CHARACTERS:
            yield Finding("empty_text", ref.path, f"holds no text: {text.strip()!r}", record)
        elif why := garbled(text):
            yield Finding("garbled_text", ref.path, why, record)

    def _volume(self, ref: FileRef, record: str, found: list[Finding]) -> Grid | None:
        """The volume's grid (D, H, W), None where it cannot be read."""
        try:
            if self.quick:
                return self._header(ref, "fiub")
            volume = load_volume(self.root, ref)
        except DataError as error:
            found.append(of_error(error, ref.path, record))
            return None
        low, high = float(volume.min()), float(volume.max())
        if low < -TOLERANCE or high > 1 + TOLERANCE:
            found.append(Finding("range", ref.path, f"values from {low:g} to {high:g}", record))
        return volume.shape[-3:]

    def _header(self, ref: FileRef, kinds: str) -> Grid:
        header = array_header(inside(self.root, ref.path), ref.path)
        shape = header.shape if len(header.shape) == 4 else (1, *header.shape)
        if len(shape) != 4 or shape[0] != 1 or 0 in shape:
            raise DataError(f"has shape {header.shape}, expected (1, D, H, W)", kind="wrong_shape")
        if header.dtype.kind not in kinds:
            raise DataError(f"has dtype {header.dtype}, expected numbers", kind="wrong_dtype")
        return shape[1:]

    def _geometry(self, ref: FileRef, grid: Grid | None) -> Iterator[Finding]:
        path = str(PurePosixPath(ref.path).with_name(FILE_NAME))
        try:
            file = inside(self.root, path)
            if not file.is_file():
                return
            geometry = read_geometry(file)
        except UserError as error:
            yield Finding("geometry", path, error.message, field=error.field or "")
            return
        if grid is not None and grid != geometry.grid:
            yield Finding("geometry", path, f"is of a grid {geometry.grid}, the volume has {grid}", field="grid")
        if not all(np.isfinite(size) and size > 0 for size in geometry.spacing_mm):
            yield Finding("geometry", path, f"lengths in mm expected, not {geometry.spacing_mm}", field="spacing_mm")

    def _mask(self, mask: MaskFile, grid: Grid | None) -> Iterator[Finding]:
        path = mask.file.path
        try:
            present, shape = self._labels(mask) if mask.labels else self._binary(mask)
        except DataError as error:
            yield of_error(error, path, mask.record)
            return
        if shape == (1, 1, 1) and grid != shape and not mask.labels and not any(present):
            yield Finding("absent_class", path, "stored as one empty voxel", mask.record)
            return
        if grid is not None and shape != grid:
            yield Finding("mask_mismatch", path, f"has grid {shape}, the volume {grid}", mask.record)
        elif mask.labels:
            for label, there in zip(mask.labels, present, strict=True):
                if not there:
                    yield Finding("object_absent", path, f"no voxel has the value {label}", mask.record, "Mask_ID")
        elif not any(present):
            yield Finding("absent_class", path, "has no voxel", mask.record)

    def _binary(self, mask: MaskFile) -> tuple[list[bool], Grid]:
        """Whether the class is there, and the grid; under ``quick`` only a mask of one voxel counts as absent."""
        if self.quick:
            shape = self._header(mask.file, "fiub")
            return [shape != (1, 1, 1)], shape
        array = load_mask(self.root, MaskRef(mask.file.path))
        return [bool(array.any())], array.shape

    def _labels(self, mask: MaskFile) -> tuple[list[bool], Grid]:
        if self.quick:
            return [True] * len(mask.labels), self._header(mask.file, "fiub")
        array: np.ndarray[Any, Any] = read_array(inside(self.root, mask.file.path), mask.file.path)
        if array.ndim == 4 and array.shape[0] == 1:
            array = array[0]
        if array.ndim != 3:
            raise DataError(f"has shape {array.shape}, expected (1, D, H, W)", kind="wrong_shape")
        return np.isin(mask.labels, np.unique(array)).tolist(), array.shape
