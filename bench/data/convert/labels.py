"""Which classes a release has and which label numbers mean them, and the masks of one case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from m3dbench.data.convert.cases import Case
from m3dbench.data.convert.prepared import class_name, read_json
from m3dbench.data.convert.table import Table
from m3dbench.data.raw import Scan
from m3dbench.data.raw.nifti import read_labels
from m3dbench.errors import DataError, UserError

BACKGROUND = "background"
IGNORE = "ignore"
DATASET_FILE = "dataset.json"
LABELS_FILE = "labels.json"

Labels = tuple[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Classes:
    """Class name -> label numbers, in the order of the class indices (empty: the mask files alone say it), and the
    numbers that mean no class."""

    numbers: Mapping[str, tuple[int, ...]]
    ignore: frozenset[int] = frozenset()

    def to_json(self) -> dict[str, Any]:
        return {"numbers": {name: list(value) for name, value in self.numbers.items()}, "ignore": sorted(self.ignore)}


def read_classes(table: Table, source: Path, labels: Path | None, cases: list[Case]) -> Classes:
    """The classes, from the first of these that is there: the file ``labels``, ``dataset.json`` in the source, the
    table, ``labels.json`` in the source; else the mask files name them.

    Classes of a data set whose table names them keep the table's order; the file only says which number means which.
    Raises UserError when a file is no such list, names a class twice or one that the table does not know, or when
    there are multi-label files and nothing says what their numbers mean.
    """
    if labels is not None and not labels.is_file():
        raise UserError("the label table is missing", file=labels)
    dataset = source / DATASET_FILE
    own = source / LABELS_FILE
    if labels is not None or dataset.is_file():
        found = _named(table, labels or dataset)
    elif table.labels:
        found = Classes(table.numbers, frozenset(table.ignore))
    else:
        found = _named(table, own) if own.is_file() else Classes({})
    bare = next((case for case in cases if case.labels is not None), None)
    if bare is not None and not found.numbers:
        raise UserError(
            "a multi-label file needs a table of its label numbers",
            file=bare.labels,
            fix=f'give one with --labels, or put it at {LABELS_FILE} in the source: {{"5": "liver", ...}}',
        )
    if found.numbers:
        _check_masks(found, cases)
        return found
    return Classes(dict.fromkeys(sorted({name for case in cases for name in case.masks}), ()))


def _named(table: Table, path: Path) -> Classes:
    content = read_json(path)
    entries = content.get("labels", {} if path.name == DATASET_FILE else content)
    if not isinstance(entries, dict) or (not entries and path.name == DATASET_FILE):
        raise UserError("has no labels", file=path, field="labels", fix='expected {"0": "background", "1": "liver"}')
    numbers: dict[str, tuple[int, ...]] = {}
    ignore = set(table.ignore)
    for own, values in _entries(entries, path):
        if own.lower() == BACKGROUND or values == (0,):
            continue
        if own.lower() == IGNORE:
            ignore.update(values)
            continue
        name = table.canonical(own)
        if name is None:
            raise UserError(
                f"the class {own!r} is not in the label table {table.name}",
                file=path,
                field=own,
                fix=f"its classes are: {', '.join(table.labels)}; give the right table, or one of your own",
            )
        if name in numbers:
            raise UserError(f"the class {name!r} is there twice", file=path, field=own, fix="give each its own name")
        numbers[name] = values
    order = [*table.labels, *(name for name, _ in sorted(numbers.items(), key=lambda item: item[1]))]
    return Classes({name: numbers[name] for name in dict.fromkeys(order) if name in numbers}, frozenset(ignore))


def _entries(entries: Mapping[str, Any], path: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """(name, numbers) from ``{"1": "liver"}`` or, as nnU-Net v2 writes it, ``{"liver": 1, "kidneys": [2, 3]}``."""
    for key, value in entries.items():
        many = value if isinstance(value, list) else [value]
        if key.isdecimal() and isinstance(value, str) and class_name(value):
            yield class_name(value), (int(key),)
        elif many and class_name(key) and all(type(item) is int and item >= 0 for item in many):
            yield class_name(key), tuple(many)
        else:
            told = 'expected entries like "5": "liver" or "liver": 5'
            raise UserError(told, file=path, field=key, fix="label numbers are whole numbers, names are text")


def _check_masks(classes: Classes, cases: list[Case]) -> None:
    for name, path in ((name, path) for case in cases for name, path in case.masks.items()):
        if name not in classes.numbers:
            raise UserError(
                f"the class {name!r} is not in the label table",
                file=path,
                fix="add it to the table, or remove the file",
            )


def case_classes(case: Case, classes: Classes) -> frozenset[str]:
    """The classes this case says something about, present or absent. A class without a mask file is not annotated."""
    return frozenset(case.masks) if case.labels is None else frozenset(classes.numbers)


def read_masks(case: Case, scan: Scan, classes: Classes) -> Iterator[Labels]:
    """(class name, mask (X, Y, Z)) for every class with a voxel, one in memory at a time.

    Raises DataError for a file that does not fit the scan, and for a label number that the table does not name.
    """
    if case.labels is None:
        if not case.masks:
            raise DataError("the case has no labels", file=case.scan, fix="labels belong beside the scan, see --list")
        for name, path in sorted(case.masks.items()):
            mask = read_labels(path, scan) > 0
            if mask.any():
                yield name, mask
        return
    values: npt.NDArray[Any] = read_labels(case.labels, scan)
    present = {int(value) for value in np.unique(values)} - {0}
    unknown = sorted(present - {number for numbers in classes.numbers.values() for number in numbers} - classes.ignore)
    if unknown:
        raise DataError(
            f"holds label numbers that the table does not name: {unknown[:5]}",
            file=case.labels,
            fix="add them to the label table, or give the table that belongs to this file with --labels",
        )
    boxes = ndimage.find_objects(values)
    for name, numbers in classes.numbers.items():
        there = [number for number in numbers if number in present]
        if not there:
            continue
        mask = np.zeros(values.shape, dtype=np.bool_)
        for number in there:
            box = boxes[number - 1]
            mask[box] |= values[box] == number
        yield name, mask
