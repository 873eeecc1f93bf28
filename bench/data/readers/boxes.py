"""Boxes without masks, as ``data import`` writes them: ``M3D_Boxes/M3D_Boxes_<split>.csv``, a row a class of a volume.

M3D-Data has no such layout. Ours keeps ``<code>/<case>`` folders, so that a case is the same as in M3D-Seg's; the mask
files are the boxes, filled, on the volume's grid.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import ClassVar

from m3dbench.data.dataset import DataRoot
from m3dbench.data.files import inside
from m3dbench.data.records import BoxRecord, Record
from m3dbench.data.tables import read_rows, split_tables
from m3dbench.errors import DataError

FOLDER = "M3D_Boxes"
COLUMNS = ("Image", "Mask", "Name")


class Boxes:
    """Boxes of named things; for REC and REG alone."""

    name: ClassVar[str] = "boxes"
    kinds: ClassVar[frozenset[type[Record]]] = frozenset({BoxRecord})

    def detect(self, root: DataRoot) -> bool:
        return bool(self._files(root))

    def splits(self, root: DataRoot, kind: type[Record]) -> tuple[str, ...]:
        return tuple(self._files(root))

    def parts(self, root: DataRoot) -> tuple[str, ...]:
        return (self.name,)

    def records(
        self, root: DataRoot, kind: type[Record], split: str, only: Collection[str] | None = None
    ) -> Iterator[BoxRecord]:
        if only is not None and self.name not in only:
            return
        for place, row in read_rows(inside(root.path, self._files(root)[split]), COLUMNS):
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

    def _files(self, root: DataRoot) -> dict[str, str]:
        return split_tables(root.path, (FOLDER,), FOLDER)
