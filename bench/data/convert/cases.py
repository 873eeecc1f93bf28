"""Finding the cases of a TotalSegmentator-like folder and the classes that their labels name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from m3dbench.data.convert.prepared import class_name, read_json
from m3dbench.data.raw import Scan
from m3dbench.data.raw.nifti import read_labels
from m3dbench.errors import DataError, UserError

_SCANS = ("ct.nii.gz", "ct.nii")
_LABELS = ("labels.nii.gz", "labels.nii", "segmentations.nii.gz", "segmentation.nii.gz", "label.nii.gz", "seg.nii.gz")
LAYOUT = "<case>/ct.nii.gz with <case>/segmentations/<name>.nii.gz, or with <case>/labels.nii.gz and a labels.json"

Labels = tuple[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Case:
    """The files of one case: the scan, and either a mask file per class (``masks``: class name to file) or one
    multi-label file (``labels``). A folder that has both gives its masks: they are the public layout, and may overlap.
    """

    name: str
    scan: Path
    masks: Mapping[str, Path]
    labels: Path | None

    @property
    def files(self) -> list[Path]:
        """Every file that the conversion reads, in a stable order."""
        return [self.scan, *([self.labels] if self.labels else [self.masks[name] for name in sorted(self.masks)])]


def find_cases(source: Path) -> list[Case]:
    """The case folders of ``source`` by name. A folder counts as a case when it holds a scan, masks or a label file.

    Raises UserError when ``source`` is no folder or holds no case. What a case lacks is told when it is converted.
    """
    if not source.is_dir():
        raise UserError("the source is not a folder", file=source, fix=f"give a folder with {LAYOUT}")
    cases = [case for folder in sorted(source.iterdir()) if folder.is_dir() and (case := _case(folder)) is not None]
    if not cases:
        raise UserError("no case was found", file=source, fix=f"expected {LAYOUT}")
    return cases


def _case(folder: Path) -> Case | None:
    if folder.name.startswith("."):
        return None
    scan = next((folder / name for name in _SCANS if (folder / name).is_file()), None)
    found = sorted((folder / "segmentations").glob("*.nii*")) if (folder / "segmentations").is_dir() else []
    masks = {class_name(path.name.partition(".nii")[0]): path for path in found}
    labels = next((folder / name for name in _LABELS if (folder / name).is_file()), None)
    if scan is None and not masks and labels is None:
        return None
    return Case(folder.name, scan or folder / _SCANS[0], masks, None if masks else labels)


def read_table(source: Path, labels: Path | None, cases: list[Case]) -> dict[int, str]:
    """The label table, id to class name, from ``labels`` or ``<source>/labels.json``; empty when there is none.

    Raises UserError when it is named but missing, is no table of id to name, names a class twice, or when a case with a
    multi-label file needs it and there is none.
    """
    path = labels or source / "labels.json"
    if labels is not None and not labels.is_file():
        raise UserError("the label table is missing", file=labels)
    table: dict[int, str] = {}
    for key, name in read_json(path).items():
        if not key.isdecimal() or not isinstance(name, str) or not class_name(name):
            raise UserError('expected entries like "5": "liver"', file=path, field=key)
        if int(key) == 0:
            continue
        if class_name(name) in table.values():
            raise UserError(f"the class {name!r} is there twice", file=path, field=key, fix="give each id its own name")
        table[int(key)] = class_name(name)
    bare = next((case for case in cases if case.labels is not None), None)
    if bare is not None and not table:
        raise UserError(
            "a multi-label file needs a table of its label numbers",
            file=bare.labels,
            fix='give one with --labels, or put it at labels.json in the source: {"5": "liver", ...}',
        )
    return dict(sorted(table.items()))


def class_names(table: Mapping[int, str], cases: list[Case]) -> list[str]:
    """The classes in the order that fixes their index: the table's by id, else every mask file's name, sorted.

    Raises UserError when there is a table and a mask file names a class that is not in it.
    """
    named = {name: path for case in cases for name, path in case.masks.items()}
    if not table:
        return sorted(named)
    for name, path in named.items():
        if name not in table.values():
            raise UserError(
                f"the class {name!r} is not in the label table",
                file=path,
                fix="add it to the table, or remove the file",
            )
    return list(table.values())


def case_classes(case: Case, table: Mapping[int, str]) -> frozenset[str]:
    """The classes this case says something about, present or absent. A class without a mask file is not annotated."""
    return frozenset(case.masks) if case.labels is None else frozenset(table.values())


def read_masks(case: Case, scan: Scan, table: Mapping[int, str]) -> Iterator[Labels]:
    """(class name, mask (X, Y, Z)) for every class with a voxel, one in memory at a time.

    Raises DataError for a file that does not fit the scan, and for a label number that the table does not name.
    """
    if case.labels is None:
        if not case.masks:
            raise DataError("the case has no labels", file=case.scan.parent, fix=f"expected {LAYOUT}")
        for name, path in sorted(case.masks.items()):
            mask = read_labels(path, scan) > 0
            if mask.any():
                yield name, mask
        return
    values: npt.NDArray[Any] = read_labels(case.labels, scan)
    present = [int(value) for value in np.unique(values) if value != 0]
    unknown = [value for value in present if value not in table]
    if unknown:
        raise DataError(
            f"holds label numbers that the table does not name: {unknown[:5]}",
            file=case.labels,
            fix="add them to the label table, or give the table that belongs to this file with --labels",
        )
    boxes = ndimage.find_objects(values)
    for value in present:
        mask = np.zeros(values.shape, dtype=np.bool_)
        box = boxes[value - 1]
        mask[box] = values[box] == value
        yield table[value], mask
