"""A data set: a folder with ``notes.jsonl``, one volume and one text a line."""

import json
from collections.abc import Collection, Iterator
from typing import ClassVar

from m3dbench.data.dataset import DataRoot
from m3dbench.data.records import Record, ReportRecord
from m3dbench.errors import DataError


class Notes:
    """Lines such as {"case": "1", "volume": "1.npy", "text": "...", "split": "test"}."""

    name: ClassVar[str] = "notes"
    kinds: ClassVar[frozenset[type[Record]]] = frozenset({ReportRecord})

    def detect(self, root: DataRoot) -> bool:
        return (root.path / "notes.jsonl").is_file()

    def splits(self, root: DataRoot, kind: type[Record]) -> tuple[str, ...]:
        return ("train", "test")

    def parts(self, root: DataRoot) -> tuple[str, ...]:
        return (self.name,)

    def records(
        self, root: DataRoot, kind: type[Record], split: str, only: Collection[str] | None = None
    ) -> Iterator[ReportRecord]:
        for number, line in enumerate((root.path / "notes.jsonl").read_text(encoding="utf-8").splitlines(), 1):
            row = json.loads(line)
            if "text" not in row:
                raise DataError("a note needs a text", file="notes.jsonl", record=f"line {number}", field="text")
            if row["split"] == split:
                strata = {"dataset": self.name, "plane": row.get("plane", "axial")}
                yield ReportRecord(
                    id=f"note-{number}",
                    case=row["case"],
                    volume=root.file(row["volume"]),
                    text=row["text"],
                    strata=strata,
                )
