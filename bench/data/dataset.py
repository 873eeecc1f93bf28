"""Data sets and the data root: where records come from. Data sets are plug-ins (entry points ``m3dbench.datasets``)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

from m3dbench.data.arrays import need_file, unreachable
from m3dbench.data.files import inside
from m3dbench.data.records import Record
from m3dbench.data.sample import FileRef, MaskRef
from m3dbench.data.tables import not_utf8
from m3dbench.errors import DataError, ExitCode, UserError

MARKER = "m3dbench-data.json"
R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class DataRoot:
    """A data directory with what it declares of itself in its marker file (empty where there is none)."""

    path: Path
    marker: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def open(path: Path) -> DataRoot:
        """Raises UserError when the directory does not exist or its marker is not JSON."""
        if not path.is_dir():
            raise UserError("the data directory does not exist", file=path, fix="give --data an existing directory")
        marker = path / MARKER
        return DataRoot(path, read_json(marker) if marker.is_file() else {})

    @property
    def kind(self) -> str:
        """``phantom``, ``converted`` ... as the marker says; ``unmarked`` without one."""
        return str(self.marker.get("kind", "unmarked"))

    def file(self, path: str) -> FileRef:
        return FileRef(path, self.marker.get("digests", {}).get(path, ""))

    def mask(self, path: str, label: int | None = None) -> MaskRef:
        return MaskRef(path, self.marker.get("digests", {}).get(path, ""), label)


class Dataset(Protocol):
    """A reader of one layout.

    name: shown in strata and messages. kinds: the record types it can give.
    ``detect`` is cheap and never raises; ``splits`` names what ``records`` accepts at this root; ``records`` yields in
    a stable order and raises DataError naming file, record and field. ``only`` keeps the sub-datasets of these names.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[type[Record]]]

    def detect(self, root: DataRoot) -> bool: ...

    def splits(self, root: DataRoot, kind: type[Record]) -> tuple[str, ...]: ...

    def parts(self, root: DataRoot) -> tuple[str, ...]: ...

    def records(
        self, root: DataRoot, kind: type[Record], split: str, only: Collection[str] | None = None
    ) -> Iterator[Record]: ...


@runtime_checkable
class Explains(Protocol):
    """A reader that knows why it found nothing: ``explain`` raises DataError for a root that it recognises but cannot
    read as it is."""

    def explain(self, root: DataRoot) -> None: ...


@runtime_checkable
class Derived(Protocol):
    """A reader whose data are part or made of other data sets: ``sources`` names those of one of its parts, and none
    for a part that is not its own. A model that declares one of them as training data has seen the part's volumes."""

    def sources(self, part: str) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class DataSource:
    """The data sets found at one root."""

    root: DataRoot
    datasets: tuple[Dataset, ...]

    def parts(self, kind: type[Record]) -> tuple[str, ...]:
        """Sub-datasets (for example M3D-Seg codes) that can give this kind of record."""
        return tuple(part for dataset in self._with(kind) for part in dataset.parts(self.root))

    def splits(self, kinds: Collection[type[Record]], only: Collection[str] | None = None) -> dict[str, str]:
        """Sub-dataset with records of these kinds -> how its split was made, as the marker says; nothing for data that
        are divided as they were released."""
        parts = {part for kind in kinds for part in self.parts(kind) if only is None or part in only}
        told: Mapping[str, Any] = self.root.marker.get("splits", {})
        return {part: str(told[part]) for part in sorted(parts) if part in told}

    def offers(self, kind: type[Record], split: str) -> bool:
        """Whether any data set of this root has such records in such a split."""
        return any(split in dataset.splits(self.root, kind) for dataset in self._with(kind))

    def records(self, kind: type[R], split: str, only: Collection[str] | None = None) -> Iterator[R]:
        """The records of a split, in a stable order.

        Raises UserError, naming what is there, when no data set of this root has such records or such a split.
        """
        found = self._with(kind)
        if not found:
            raise UserError(
                f"no data set with {kind.__name__.removesuffix('Record').lower()} records was found",
                file=self.root.path,
                fix="see `m3dbench data phantom` for the layout, or choose another --task",
                code=ExitCode.NOTHING_TO_SCORE,
            )
        holding = [dataset for dataset in found if split in dataset.splits(self.root, kind)]
        if not holding:
            for dataset in found:
                if isinstance(dataset, Explains):
                    dataset.explain(self.root)
            splits = sorted({name for dataset in found for name in dataset.splits(self.root, kind)})
            raise UserError(
                f"there is no test set {split!r} here",
                file=self.root.path,
                fix=f"choose one of: {', '.join(splits) or 'none'}",
            )
        for dataset in holding:
            for record in dataset.records(self.root, kind, split, only):
                assert isinstance(record, kind)  # noqa: S101 - narrows the type for the checker
                yield record

    def _with(self, kind: type[Record]) -> list[Dataset]:
        return [dataset for dataset in self.datasets if kind in dataset.kinds]


def read_json(path: Path) -> Any:
    """Raises DataError naming file, line and column when it is not JSON in UTF-8, or cannot be read."""
    need_file(path, path)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(
            f"is not valid JSON: {error.msg}",
            file=path,
            record=f"line {error.lineno}, column {error.colno}",
            fix="mend the file at that place: a comma before a closing bracket, or a file cut off, are common causes",
        ) from error
    except RecursionError as error:
        raise DataError("is nested too deeply", file=path) from error
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error
    except OSError as error:
        raise unreachable(error, path) from error


def read_text(root: DataRoot, path: str) -> str:
    """A text file of the data set, inside its root. Raises DataError when it cannot be read as UTF-8."""
    file = inside(root.path, path)
    need_file(file, path)
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(file, path) from error
    except OSError as error:
        raise unreachable(error, path) from error
