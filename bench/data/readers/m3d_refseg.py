"""M3D-RefSeg: ``M3D_RefSeg_<split>.csv``, and per case ``ct.npy`` and ``mask.npy`` with one value an object.

Volume and mask stay in the axes in which they are stored, (1, D, H, W) with H and W swapped relative to M3D-Seg (its
preparation transposes to Z, X, Y): that is how the reference shows them to a model, and boxes and masks follow them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import ClassVar, Literal

from m3dbench.data.dataset import DataRoot
from m3dbench.data.readers.paths import M3D_DATA, below_root
from m3dbench.data.readers.tabular import Rows, TabularDataset
from m3dbench.data.records import Record, ReferringRecord
from m3dbench.data.tables import Place
from m3dbench.errors import DataError

PREPARED = "M3D_RefSeg_npy"
FOLDERS = ("M3D_RefSeg", PREPARED, "M3D-RefSeg", ".")
COLUMNS = ("Image", "Mask", "Mask_ID", "Question_Type", "Question", "Answer")
KINDS: Mapping[str, Literal["description", "reasoning"]] = {"0": "description", "1": "reasoning"}
UNNAMED = "unnamed"
"""The class stratum of objects that the data set does not name."""
_MARK = re.compile(r"\[SEG\]|<SEG>")


class M3DRefSeg(TabularDataset):
    """Questions that refer to a finding, by description or by reasoning; the target is ``mask == Mask_ID``."""

    name: ClassVar[str] = "M3D-RefSeg"
    kinds: ClassVar[frozenset[type[Record]]] = frozenset({ReferringRecord})
    folders: ClassVar[tuple[str, ...]] = FOLDERS
    prefix: ClassVar[str] = "M3D_RefSeg"
    columns: ClassVar[tuple[str, ...]] = COLUMNS
    made_of: ClassVar[tuple[str, ...]] = (M3D_DATA,)

    def read(self, root: DataRoot, rows: Rows) -> Iterator[ReferringRecord]:
        seen: Counter[str] = Counter()
        for place, row in rows:
            asked = _checked(row, place)
            case = f"{self.name}/{PurePosixPath(row['Image']).parent.name}"
            label = _label(row["Mask_ID"], place)
            seen[f"{case}/{label}"] += 1
            yield ReferringRecord(
                id=f"{case}/{label}#{seen[f'{case}/{label}']}",
                case=case,
                volume=root.file(below_root(root.path, row["Image"], PREPARED)),
                mask=root.mask(below_root(root.path, row["Mask"], PREPARED), label),
                kind=asked,
                question=row["Question"].strip(),
                answer=_MARK.sub("[SEG]", row["Answer"]).strip(),
                strata={"dataset": self.name, "class": UNNAMED},
            )


def _checked(row: Mapping[str, str], place: Place) -> Literal["description", "reasoning"]:
    for column in ("Image", "Mask", "Question"):
        if not row[column].strip():
            raise DataError("the field is empty", file=place.file, record=place.record, field=column)
    kind = KINDS.get(row["Question_Type"].strip())
    if kind is None:
        raise DataError(
            f"{row['Question_Type']!r} is no question type",
            file=place.file,
            record=place.record,
            field="Question_Type",
            fix="write 0 for a description, 1 for reasoning",
        )
    return kind


def _label(text: str, place: Place) -> int:
    """The value of the object in the mask file; 0 is the background and no object."""
    if not re.fullmatch(r"\s*\d+\s*", text, re.ASCII) or int(text) == 0:
        raise DataError(
            f"{text!r} is no object of a mask",
            file=place.file,
            record=place.record,
            field="Mask_ID",
            fix="write the object's value in the mask file, a whole number from 1 on",
        )
    return int(text)
