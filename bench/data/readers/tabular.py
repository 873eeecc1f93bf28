"""What the readers of data sets with one table a split share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from m3dbench.data.dataset import DataRoot
from m3dbench.data.files import inside
from m3dbench.data.records import Record
from m3dbench.data.tables import Place, read_rows, split_tables

Rows = Iterable[tuple[Place, Mapping[str, str]]]


class TabularDataset(ABC):
    """Tables ``<prefix>_<split>.csv`` in the first of ``folders`` that has them, with ``columns`` at least.

    made_of: the data sets that its volumes are part of.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[type[Record]]]
    folders: ClassVar[tuple[str, ...]]
    prefix: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    made_of: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def tables(cls, root: Path) -> dict[str, str]:
        """Split -> its table, relative to the root."""
        return split_tables(root, cls.folders, cls.prefix)

    def detect(self, root: DataRoot) -> bool:
        return bool(self.tables(root.path))

    def splits(self, root: DataRoot, kind: type[Record]) -> tuple[str, ...]:
        return tuple(self.tables(root.path))

    def parts(self, root: DataRoot) -> tuple[str, ...]:
        return (self.name,)

    def sources(self, part: str) -> tuple[str, ...]:
        return self.made_of if part == self.name else ()

    def records(
        self, root: DataRoot, kind: type[Record], split: str, only: Collection[str] | None = None
    ) -> Iterator[Record]:
        if only is None or self.name in only:
            yield from self.read(root, read_rows(inside(root.path, self.tables(root.path)[split]), self.columns))

    @abstractmethod
    def read(self, root: DataRoot, rows: Rows) -> Iterator[Record]:
        """A table's records. Raises DataError naming file, record and field."""
