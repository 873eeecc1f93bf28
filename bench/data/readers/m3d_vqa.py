"""M3D-VQA: ``M3D-VQA/M3D_VQA_<split>.csv``. The ``Text`` column is the full report and is never read into a request."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import ClassVar

from m3dbench.data.dataset import DataRoot
from m3dbench.data.files import inside
from m3dbench.data.readers.m3d_cap import case_id, series_id
from m3dbench.data.records import QuestionRecord, Record
from m3dbench.errors import DataError

FOLDERS = ("M3D-VQA", "M3D_VQA", ".")
QUESTION_TYPES = {"1": "plane", "2": "phase", "3": "organ", "4": "abnormality", "5": "location"}
LETTERS = ("A", "B", "C", "D")
COLUMNS = (
    "Image Path",
    "Question Type",
    "Question",
    *(f"Choice {letter}" for letter in LETTERS),
    "Answer",
    "Answer Choice",
)
MISSING_CHOICE = "NA"


class M3DVQA:
    """Questions with lettered choices; a missing choice is the literal text ``NA`` and is not offered.

    An *answer* ``NA`` or ``None`` stays the string that it is.
    """

    name: ClassVar[str] = "M3D-VQA"
    kinds: ClassVar[frozenset[type[Record]]] = frozenset({QuestionRecord})

    def detect(self, root: DataRoot) -> bool:
        return bool(self._files(root))

    def splits(self, root: DataRoot, kind: type[Record]) -> tuple[str, ...]:
        return tuple(self._files(root))

    def parts(self, root: DataRoot) -> tuple[str, ...]:
        return (self.name,)

    def records(
        self, root: DataRoot, kind: type[Record], split: str, only: Collection[str] | None = None
    ) -> Iterator[QuestionRecord]:
        if only is not None and self.name not in only:
            return
        seen: Counter[str] = Counter()
        for place, row in read_rows(inside(root.path, self._files(root)[split]), COLUMNS):
            image = row["Image Path"]
            series = series_id(image)
            seen[series] += 1
            choices = {letter: text for letter in LETTERS if (text := row[f"Choice {letter}"]) != MISSING_CHOICE}
            letter = row["Answer Choice"].strip()
            if letter not in choices:
                raise DataError(
                    f"the answer choice {letter!r} is not among the offered choices {', '.join(choices) or '(none)'}",
                    file=place.file,
                    record=place.record,
                    field="Answer Choice",
                    fix="write the letter of a choice that is not NA",
                )
            code = row["Question Type"].strip()
            yield QuestionRecord(
                id=f"{series}#{seen[series]}",
                case=case_id(image),
                volume=root.file(image),
                question=row["Question"],
                answer=row["Answer"],
                letter=letter,
                choices=choices,
                strata={"dataset": self.name, "question_type": QUESTION_TYPES.get(code, code)},
            )

    def _files(self, root: DataRoot) -> dict[str, str]:
        found: dict[str, str] = {}
        for folder in FOLDERS:
            for path in sorted((root.path / folder).glob("M3D_VQA_*.csv")):
                split = path.stem.removeprefix("M3D_VQA_")
                found.setdefault({"val": "validation"}.get(split, split), str(Path(folder) / path.name))
        return found


class Place:
    """Where a row stands, for messages."""

    def __init__(self, file: Path, line: int) -> None:
        self.file = file
        self.record = f"line {line}"


def read_rows(path: Path, columns: Collection[str]) -> Iterator[tuple[Place, dict[str, str]]]:
    """Rows of a CSV as text, nothing turned into NaN.

    Raises DataError naming file, line and column for missing columns, broken quoting, ragged rows and other encodings.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    "columns are missing", file=path, field=", ".join(missing), fix=f"needed: {', '.join(columns)}"
                )
            for row in reader:
                place = Place(path, reader.line_num)
                if None in row or None in row.values():
                    raise DataError("the row has too many or too few fields", file=path, record=place.record)
                yield place, row
    except csv.Error as error:
        raise DataError(f"is not a valid CSV: {error}", file=path, record=f"line {reader.line_num}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 text (byte {error.start})", file=path, fix="save the file as UTF-8") from error
