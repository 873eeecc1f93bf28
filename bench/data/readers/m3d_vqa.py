"""M3D-VQA: ``M3D-VQA/M3D_VQA_<split>.csv``. The ``Text`` column is the full report and is never read into a request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from m3dbench.data.dataset import DataRoot
from m3dbench.data.readers.m3d_cap import FOLDER as CAP_FOLDER
from m3dbench.data.readers.m3d_cap import M3DCap, case_id, series_id
from m3dbench.data.readers.paths import M3D_DATA, below_root
from m3dbench.data.readers.tabular import Rows, TabularDataset
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


class M3DVQA(TabularDataset):
    """Questions with lettered choices; a missing choice is the literal text ``NA`` and is not offered.

    An *answer* ``NA`` or ``None`` stays the string that it is.
    """

    name: ClassVar[str] = "M3D-VQA"
    kinds: ClassVar[frozenset[type[Record]]] = frozenset({QuestionRecord})
    folders: ClassVar[tuple[str, ...]] = FOLDERS
    prefix: ClassVar[str] = "M3D_VQA"
    columns: ClassVar[tuple[str, ...]] = COLUMNS
    made_of: ClassVar[tuple[str, ...]] = (M3DCap.name, M3D_DATA)

    def read(self, root: DataRoot, rows: Rows) -> Iterator[QuestionRecord]:
        seen: Counter[str] = Counter()
        for place, row in rows:
            image = below_root(root.path, row["Image Path"], CAP_FOLDER)
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
