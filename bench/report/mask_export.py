"""``export masks``: the predicted masks of a run as NIfTI files, in native space where the way back is known."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.dataset import DataRoot
from m3dbench.data.files import inside
from m3dbench.data.geometry import Geometry, read_geometry, to_native
from m3dbench.data.prediction import StoredPrediction
from m3dbench.data.sample import FileRef, Sample
from m3dbench.errors import DataError, UserError, missing_extra
from m3dbench.runs import jsonl
from m3dbench.runs.folder import RunFolder, TaskFolder
from m3dbench.runs.journal import Rows
from m3dbench.runs.masks import read_mask

INDEX = "masks.jsonl"
GEOMETRY = "geometry.json"
Affine = npt.NDArray[np.float64]


@dataclass
class MaskExport:
    """What was written. grid: masks without a known way back, on the prepared grid with an affine of 1 mm voxels."""

    native: int = 0
    grid: int = 0
    empty: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)


def export_masks(
    run: RunFolder,
    out: Path,
    *,
    data: Path | None = None,
    tasks: list[str] | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> MaskExport:
    """Write every predicted mask as ``OUT/TASK/ID.nii.gz`` (uint8, 0 and 1), and ``OUT/masks.jsonl``, which says of
    each sample its file, its space and why there is none.

    ``data``: the data directory, the one that the run names if None. Needs nibabel. Raises UserError when the run has
    no task with masks.
    """
    try:
        import nibabel
    except ImportError as error:
        raise missing_extra("writing NIfTI masks", "data") from error
    entries = run.content()["tasks"]
    chosen = [name for name in tasks or entries if name in entries and run.task(name).masks.is_dir()]
    if not chosen or (tasks and len(chosen) < len(tasks)):
        told = ", ".join(name for name in tasks or entries if name not in chosen) or "none of its tasks"
        raise UserError(f"the run has no predicted masks for: {told}", file=run.path, field="--task")
    done = MaskExport()
    rows: list[dict[str, Any]] = []
    used: set[PurePosixPath] = set()
    for name in chosen:
        root = data or Path(entries[name]["data_root"])
        for sample, stored in answers_of(run.task(name)):
            advance(1)
            row: dict[str, Any] = {"task": name, "id": sample.id, "file": None, "space": None}
            rows.append(row)
            if stored is None or stored.mask is None:
                done.empty += 1
                row["reason"] = "the model gave no mask" if stored and stored.status == "ok" else "no answer"
                continue
            try:
                mask = read_mask(run.task(name).masks, stored.mask)
                placed, affine, space = _placed(mask, geometry_of(root, sample.volume))
            except UserError as error:
                done.unreadable[sample.id] = row["reason"] = "; ".join(part.strip() for part in str(error).splitlines())
                continue
            place = file_of(name, sample.id, ".nii.gz", used)
            row.update(file=str(place), space=space, affine=affine.tolist())
            target = out / place
            target.parent.mkdir(parents=True, exist_ok=True)
            image = nibabel.Nifti1Image(placed.astype(np.uint8), affine)  # type: ignore[no-untyped-call]
            jsonl.replace(target, gzip.compress(image.to_bytes(), mtime=0))
            done.native += space == "native"
            done.grid += space == "grid"
    out.mkdir(parents=True, exist_ok=True)
    jsonl.replace(out / INDEX, b"".join(map(jsonl.line, rows)))
    return done


def file_of(task: str, sample_id: str, suffix: str, used: set[PurePosixPath]) -> PurePosixPath:
    """Where a sample's file lies: its id as folders and a name, with nothing that a file system objects to.

    used: the places of earlier samples; this one's is none of them and is added.
    """
    parts = [re.sub(r"[^\w.+-]+", "_", part) for part in sample_id.split("/")]
    *folders, name = [part.lstrip(".") or "_" for part in parts]
    place = PurePosixPath(task, *folders, name + suffix)
    if place in used:
        place = place.with_name(f"{len(used):06d}-{place.name}")
    used.add(place)
    return place


def answers_of(folder: TaskFolder) -> Iterator[tuple[Sample, StoredPrediction | None]]:
    """A task's samples, each with its stored answer, None where there is none yet."""
    predictions = Rows(folder.predictions)
    for line in jsonl.read(folder.manifest):
        row = predictions.get(line["id"])
        yield Sample.from_json(line), None if row is None else StoredPrediction.from_json(row)
    predictions.close()


def geometry_of(root: Path, volume: FileRef | None) -> Geometry | None:
    """How a volume came to its grid, None where the data do not say. Raises UserError when what they say is torn."""
    if volume is None:
        return None
    try:
        place = inside(DataRoot(root).path, volume.path).with_name(GEOMETRY)
    except DataError:
        return None
    return read_geometry(place) if place.is_file() else None


def _placed(mask: npt.NDArray[np.bool_], geometry: Geometry | None) -> tuple[npt.NDArray[np.bool_], Affine, str]:
    """The mask as NIfTI has it, its affine and its space.

    Without a geometry: axes (W, H, D), 1 mm voxels, and no claim of orientation.
    """
    if geometry is None:
        return mask.transpose(2, 1, 0), np.eye(4), "grid"
    native, affine = to_native(mask, geometry)
    return native, affine, "native"
