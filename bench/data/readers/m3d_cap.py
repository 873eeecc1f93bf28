"""M3D-Cap in its prepared layout: ``M3D_Cap_npy/M3D_Cap.json`` and one npy per series, many series sharing one text."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import Any, ClassVar

from m3dbench.data.dataset import DataRoot, read_json, read_text
from m3dbench.data.readers.paths import M3D_DATA, below_root
from m3dbench.data.records import Record, ReportRecord
from m3dbench.errors import DataError

FOLDER = "M3D_Cap_npy"
SPLIT_FILE = "M3D_Cap_npy/M3D_Cap.json"
SPLIT_FILES = (SPLIT_FILE, "M3D_Cap.json", "M3D_Cap/M3D_Cap.json", "M3D-Cap/M3D_Cap.json")
"""Where releases and their copies have it; the first that is there counts."""
PLANES = ("axial", "coronal", "sagittal")


class M3DCap:
    """Reports. A sample is a series file; its case is the case folder."""

    name: ClassVar[str] = "M3D-Cap"
    kinds: ClassVar[frozenset[type[Record]]] = frozenset({ReportRecord})

    def detect(self, root: DataRoot) -> bool:
        return any((root.path / place).is_file() for place in SPLIT_FILES)

    def splits(self, root: DataRoot, kind: type[Record]) -> tuple[str, ...]:
        return tuple(self._lists(root))

    def parts(self, root: DataRoot) -> tuple[str, ...]:
        return (self.name,)

    def sources(self, part: str) -> tuple[str, ...]:
        return (M3D_DATA,) if part == self.name else ()

    def records(
        self, root: DataRoot, kind: type[Record], split: str, only: Collection[str] | None = None
    ) -> Iterator[ReportRecord]:
        if only is not None and self.name not in only:
            return
        file = split_file(root)
        for index, item in enumerate(self._lists(root)[split]):
            if not isinstance(item, dict) or not all(isinstance(item.get(key), str) for key in ("image", "text")):
                raise DataError(
                    "an item needs the fields 'image' and 'text', both paths",
                    file=file,
                    record=f"{split}[{index}]",
                    field="image, text",
                    fix="write items as {'image': ..., 'text': ...}",
                )
            image, text = (below_root(root.path, item[key], FOLDER) for key in ("image", "text"))
            yield ReportRecord(
                id=series_id(image),
                case=case_id(image),
                volume=root.file(image),
                text=read_text(root, text).strip(),
                strata={"dataset": self.name, "plane": plane(image)},
            )

    def _lists(self, root: DataRoot) -> dict[str, list[Any]]:
        file = split_file(root)
        content = read_json(root.path / file)
        if not isinstance(content, dict) or not all(isinstance(items, list) for items in content.values()):
            raise DataError("expected an object of lists, one per split", file=file)
        return content


def split_file(root: DataRoot) -> str:
    """M3D_Cap.json, relative to the root."""
    return next((place for place in SPLIT_FILES if (root.path / place).is_file()), SPLIT_FILE)


def series_id(image: str) -> str:
    """``M3D_Cap_npy/ct_quizze/005461/Axial_non_contrast.npy`` -> ``ct_quizze/005461/Axial_non_contrast``."""
    parts = PurePosixPath(image).with_suffix("").parts
    return "/".join(parts[-3:])


def case_id(image: str) -> str:
    """``.../ct_quizze/005461/Axial_non_contrast.npy`` -> ``ct_quizze/005461``."""
    return "/".join(PurePosixPath(image).parts[-3:-1])


def plane(image: str) -> str:
    """The plane that the series name begins with, ``unknown`` where it names none."""
    first = PurePosixPath(image).stem.split("_")[0].lower()
    return first if first in PLANES else "unknown"
