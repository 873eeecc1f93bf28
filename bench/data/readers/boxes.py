"""Boxes without masks, as ``data import`` writes them: ``M3D_Boxes/M3D_Boxes_<split>.csv``, a row a class of a volume.

M3D-Data has no such layout. Ours keeps ``<code>/<case>`` folders, so that a case is the same as in M3D-Seg's; the mask
files are the boxes, filled, on the volume's grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import ClassVar

from m3dbench.data.dataset import DataRoot
from m3dbench.data.readers.tabular import Rows, TabularDataset
from m3dbench.data.records import BoxRecord, Record
from m3dbench.errors import DataError

FOLDER = "M3D_Boxes"
COLUMNS = ("Image", "Mask", "Name")


class Boxes(TabularDataset):
    """Boxes of named things; for REC and REG alone."""

    name: ClassVar[str] = "boxes"
    kinds: ClassVar[frozenset[type[Record]]] = frozenset({BoxRecord})
    folders: ClassVar[tuple[str, ...]] = (FOLDER,)
    prefix: ClassVar[str] = FOLDER
    columns: ClassVar[tuple[str, ...]] = COLUMNS

    def read(self, root: DataRoot, rows: Rows) -> Iterator[BoxRecord]:
        for place, row in rows:
            if not row["Name"].strip():
                raise DataError("the field is empty", file=place.file, record=place.record, field="Name")
            image = PurePosixPath(row["Image"])
            case = "/".join(image.parent.parts[-2:])
            yield BoxRecord(
                id=f"{case}/{PurePosixPath(row['Mask']).stem}",
                case=case,
                volume=root.file(row["Image"]),
                mask=root.mask(row["Mask"]),
                name=row["Name"].strip(),
                strata={"dataset": self.name, "class": row["Name"].strip()},
            )
