"""Who is in which split: every case with its texts and volumes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from m3dbench.data.dataset import DataSource
from m3dbench.data.files import inside
from m3dbench.data.readers import m3d_cap, m3d_vqa
from m3dbench.data.readers.paths import below_root
from m3dbench.data.records import Record, ReportRecord
from m3dbench.data.tables import read_rows

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
TEXT_COLUMN = "Text"
"""The column of M3D-VQA that holds the full report of the volume."""


def part_of(split: str) -> Part | None:
    """``test1k``, ``test5k`` and the like are parts of the test set; a split with everything (``all``) is none."""
    lowered = split.lower()
    if "train" in lowered:
        return "train"
    if lowered.startswith("val"):
        return "validation"
    return "test" if "test" in lowered else None


@dataclass
class Case:
    """A case in one part. folder: where its volumes lie, relative to the data root. texts: distinct reports."""

    id: str
    part: Part
    folder: str
    texts: list[str] = field(default_factory=list)
    volumes: dict[str, None] = field(default_factory=dict)

    def add_text(self, text: str) -> None:
        if text and text not in self.texts:
            self.texts.append(text)


class Cases:
    """All cases of a data directory, by part and id, in the order in which its lists name them."""

    def __init__(self) -> None:
        self._cases: dict[tuple[Part, str], Case] = {}

    def get(self, part: Part, case_id: str, volume: str) -> Case:
        """The case, made when it is met first."""
        key = (part, case_id)
        if key not in self._cases:
            self._cases[key] = Case(case_id, part, str(PurePosixPath(volume).parent))
        return self._cases[key]

    def of(self, *parts: Part) -> list[Case]:
        return [case for case in self._cases.values() if case.part in parts]

    def find(self, part: Part, case_id: str) -> Case | None:
        return self._cases.get((part, case_id))

    def __iter__(self) -> Iterator[Case]:
        return iter(self._cases.values())


def gather(source: DataSource) -> Cases:
    """Go through all records of all splits. Raises DataError where a list cannot be read."""
    cases = Cases()
    for part, record in records(source):
        case = cases.get(part, record.case, record.volume.path)
        case.volumes[record.volume.path] = None
        if isinstance(record, ReportRecord):
            case.add_text(record.text)
    _from_questions(source, cases)
    return cases


def records(source: DataSource, kinds: Iterable[type[Record]] | None = None) -> Iterator[tuple[Part, Record]]:
    """All records of all splits that belong to a part."""
    wanted = None if kinds is None else tuple(kinds)
    for dataset in source.datasets:
        for kind in sorted(dataset.kinds, key=lambda kind: kind.__name__):
            if wanted is not None and kind not in wanted:
                continue
            for split in dataset.splits(source.root, kind):
                if (part := part_of(split)) is not None:
                    for record in dataset.records(source.root, kind, split):
                        yield part, record


def _from_questions(source: DataSource, cases: Cases) -> None:
    """The report that stands beside every question, for cases whose text is not there otherwise."""
    known = {(case.part, case.id) for case in cases if case.texts}
    for split, path in m3d_vqa.M3DVQA.tables(source.root.path).items():
        part = part_of(split)
        if part is None:
            continue
        for _, row in read_rows(inside(source.root.path, path), m3d_vqa.COLUMNS):
            image = below_root(source.root.path, row["Image Path"], m3d_cap.FOLDER)
            case_id = m3d_cap.case_id(image)
            if (part, case_id) not in known:
                cases.get(part, case_id, image).add_text(row.get(TEXT_COLUMN, "").strip())
