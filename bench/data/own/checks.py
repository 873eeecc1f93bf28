"""What can be wrong in a row of own data, and how it is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from m3dbench.data.readers.m3d_vqa import LETTERS, MISSING_CHOICE, QUESTION_TYPES
from m3dbench.errors import UserError

SPLITS = ("train", "validation", "test")
BOX = ("d1", "h1", "w1", "d2", "h2", "w2")
CHOICES = tuple(f"choice_{letter.lower()}" for letter in LETTERS)
COLUMNS = (
    *("case", "volume", "series", "split", "report", "question_type", "question", *CHOICES, "answer", "answer_choice"),
    *("mask", "label", "class", *BOX),
)
SHOWN = 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Problem:
    """Something wrong in a row: its line, the column, what, and what to do."""

    line: int
    column: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.what} ({self.fix})"


_Wrong = Callable[[str, str, str], Problem]


def refuse(table: Path, problems: Iterable[Problem]) -> None:
    """Raises UserError with the problems by line, at most ``SHOWN`` of them; nothing when there are none."""
    found = sorted(problems, key=lambda problem: (problem.line, problem.column))
    if not found:
        return
    rows = len({problem.line for problem in found})
    told = [f"{rows} {'row is' if rows == 1 else 'rows are'} wrong; nothing was written"]
    told += [f"  {problem}" for problem in found[:SHOWN]]
    if len(found) > SHOWN:
        told.append(f"  and {len(found) - SHOWN} more")
    raise UserError("\n".join(told), file=table)


def problems_of(cells: Mapping[str, str], folder: Path, line: int) -> Iterator[Problem]:
    """What is wrong with one row; ``cells`` by known column, files relative to ``folder``."""

    def wrong(column: str, what: str, fix: str) -> Problem:
        return Problem(line, column, what, fix)

    get = cells.get
    for column in ("case", "series"):
        text = get(column, "")
        if (text or column == "case") and not _NAME.fullmatch(text):
            yield wrong(column, f"{text!r} is no name", "letters, digits, '.', '_' and '-' only")
    if get("split", "") not in ("", *SPLITS):
        yield wrong("split", f"{cells['split']!r} is no split", f"one of {', '.join(SPLITS)}; empty means test")
    volume = get("volume", "")
    if not volume or not (folder / volume).exists():
        told = f"{volume!r} does not exist" if volume else "is empty"
        yield wrong("volume", told, "a NIfTI or npy file or a folder of DICOM slices, relative to the table")
    contents = [column for column in ("report", "question", "class") if get(column)]
    if not contents:
        yield wrong("report", "the row asks nothing", "fill in report, question or class")
    yield from (_question(cells, wrong=wrong) if get("question") else _strays(cells, "question", wrong=wrong))
    yield from (_region(cells, folder, wrong=wrong) if get("class") else _strays(cells, "class", wrong=wrong))


def _strays(cells: Mapping[str, str], owner: str, *, wrong: _Wrong) -> Iterator[Problem]:
    belong = {"question": (*CHOICES, "answer", "answer_choice"), "class": ("mask", "label", *BOX)}[owner]
    for column in belong:
        if cells.get(column):
            yield wrong(column, f"is filled in without {owner}", f"fill in {owner}, or empty it")
            return


def _question(cells: Mapping[str, str], *, wrong: _Wrong) -> Iterator[Problem]:
    offered = choices_of(cells)
    if len(offered) < 2:
        yield wrong("choice_b", "a question needs two choices at least", "fill in choice_a and choice_b")
    if not cells.get("answer"):
        yield wrong("answer", "is empty", "write the right answer")
        return
    letter = cells.get("answer_choice", "")
    if letter and letter not in offered:
        yield wrong("answer_choice", f"{letter!r} is not offered", f"one of {', '.join(offered)}")
    elif letter and offered[letter].lower() != cells["answer"].lower():
        yield wrong("answer_choice", f"choice {letter} is {offered[letter]!r}, not the answer", "make the two agree")
    elif not letter and cells["answer"].lower() not in {text.lower() for text in offered.values()}:
        yield wrong("answer", f"{cells['answer']!r} is none of the choices", "add it, or write answer_choice")
    kinds = {*QUESTION_TYPES, *QUESTION_TYPES.values()}
    if cells.get("question_type", "") not in ("", *kinds):
        yield wrong("question_type", f"{cells['question_type']!r} is no type", f"one of {', '.join(sorted(kinds))}")


def choices_of(cells: Mapping[str, str]) -> dict[str, str]:
    """Letter -> text of the choices that a row offers."""
    texts = zip(LETTERS, (cells.get(column, "") for column in CHOICES), strict=True)
    return {letter: text for letter, text in texts if text and text != MISSING_CHOICE}


def _region(cells: Mapping[str, str], folder: Path, *, wrong: _Wrong) -> Iterator[Problem]:
    mask, box = cells.get("mask", ""), [cells.get(column, "") for column in BOX]
    if bool(mask) == any(box):
        told = "mask and box are both given" if mask else "neither mask nor box is given"
        yield wrong("mask", told, "give one of them for the class")
        return
    if mask and not (folder / mask).is_file():
        yield wrong("mask", f"{mask!r} does not exist", "a NIfTI or npy file, relative to the table")
    label = cells.get("label", "")
    if label and not (label.isdecimal() and int(label) > 0):
        yield wrong("label", f"{label!r} is no label", "a whole number from 1 on; empty: every voxel above 0")
    if any(box):
        bad = [column for column, text in zip(BOX, box, strict=True) if not text.isdecimal()]
        if bad:
            yield wrong(bad[0], f"{cells.get(bad[0], '')!r} is no voxel index", "whole numbers from 0 on, six of them")
        elif any(int(low) >= int(high) for low, high in zip(box[:3], box[3:], strict=True)):
            yield wrong("d2", "the box has no volume", "the end, which is not part of it, lies above the start")
