"""The table of own data: its columns, and every wrong row of it told at once."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from m3dbench.data.readers.m3d_vqa import LETTERS, MISSING_CHOICE, QUESTION_TYPES
from m3dbench.data.tables import read_rows
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


@dataclass(frozen=True)
class Row:
    """One checked row. volume and mask are files as the table means them, relative to its folder. label: of a
    multi-label mask. box: half-open voxel bounds (d1, h1, w1, d2, h2, w2). The rest is text, "" where there is none."""

    line: int
    case: str
    series: str
    split: str
    volume: Path
    report: str = ""
    question_type: str = ""
    question: str = ""
    choices: tuple[str, ...] = ()
    answer: str = ""
    letter: str = ""
    name: str = ""
    mask: Path | None = None
    label: int | None = None
    box: tuple[int, ...] | None = None

    @property
    def study(self) -> tuple[str, str]:
        return self.case, self.series


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


def read_table(table: Path) -> tuple[list[Row], list[str]]:
    """The rows of a table, and the columns of it that mean nothing here.

    Raises UserError that lists every wrong row with line, column and fix.
    """
    if not table.is_file():
        raise UserError("the table is missing", file=table)
    named = _header(table)
    if "case" not in named or "volume" not in named:
        raise UserError(
            "the table needs the columns case and volume", file=table, fix=f"known columns: {', '.join(COLUMNS)}"
        )
    rows: list[Row] = []
    problems: list[Problem] = []
    for place, raw in read_rows(table, list(named.values())):
        cells = {column: raw[own].strip() for column, own in named.items()}
        line = int(place.record.removeprefix("line "))
        found = list(_problems(cells, table.parent, line))
        problems += found
        if not found:
            rows.append(_row(cells, table.parent, line))
    if not problems:
        problems += _between(rows)
    refuse(table, problems)
    if not rows:
        raise UserError("the table has no rows", file=table)
    return rows, [own for own in _columns(table) if _plain(own) not in COLUMNS]


def _plain(column: str) -> str:
    return re.sub(r"[\s_-]+", "_", column.strip().lower())


def _columns(table: Path) -> list[str]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            return next(csv.reader(stream), [])
    except UnicodeDecodeError as error:
        raise UserError(f"is not UTF-8 text (byte {error.start})", file=table, fix="save the file as UTF-8") from error


def _header(table: Path) -> dict[str, str]:
    """Known column -> how the table spells it."""
    named: dict[str, str] = {}
    for own in _columns(table):
        if _plain(own) in named:
            raise UserError(f"the column {_plain(own)} is there twice", file=table, field=own)
        if _plain(own) in COLUMNS:
            named[_plain(own)] = own
    return named


def _problems(cells: Mapping[str, str], folder: Path, line: int) -> Iterator[Problem]:
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
    offered = _choices(cells)
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


def _choices(cells: Mapping[str, str]) -> dict[str, str]:
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


def _row(cells: Mapping[str, str], folder: Path, line: int) -> Row:
    get = cells.get
    volume = folder / cells["volume"]
    stem = volume.name.removesuffix(".gz").removesuffix(".nii").removesuffix(".npy")
    offered = _choices(cells)
    answer = get("answer", "")
    letter = get("answer_choice", "") or next((key for key, text in offered.items() if text == answer), "")
    letter = letter or next((key for key, text in offered.items() if text.lower() == answer.lower()), "")
    types = {name: number for number, name in QUESTION_TYPES.items()}
    box = tuple(int(cells[column]) for column in BOX) if get("d1") else None
    return Row(
        line=line,
        case=cells["case"],
        series=get("series", "") or re.sub(r"[^A-Za-z0-9._-]+", "_", stem).lstrip("._-") or "volume",
        split=get("split", "") or "test",
        volume=volume,
        report=get("report", ""),
        question_type=types.get(get("question_type", ""), get("question_type", "")),
        question=get("question", ""),
        choices=tuple(offered.get(key, MISSING_CHOICE) for key in LETTERS) if get("question") else (),
        answer=answer,
        letter=letter,
        name=" ".join(get("class", "").replace("_", " ").split()),
        mask=folder / cells["mask"] if get("mask") else None,
        label=int(cells["label"]) if get("label") else None,
        box=box,
    )


def _between(rows: list[Row]) -> Iterator[Problem]:
    """What only several rows together get wrong."""
    first: dict[tuple[str, str], Row] = {}
    splits: dict[str, Row] = {}
    reports: dict[tuple[str, str], Row] = {}
    regions: set[tuple[str, str, str]] = set()
    for row in rows:
        known = first.setdefault(row.study, row)
        if known.volume != row.volume:
            told = f"{row.series!r} of this case is another volume in line {known.line}"
            yield Problem(row.line, "series", told, "give each volume of a case its own series name")
        other = splits.setdefault(row.case, row)
        if other.split != row.split:
            told = f"the case is in {other.split} in line {other.line}"
            yield Problem(row.line, "split", told, "keep all of a case in one split, or scores reward memory")
        if row.report:
            earlier = reports.setdefault(row.study, row)
            if earlier.report != row.report:
                told = f"the volume has another report in line {earlier.line}"
                yield Problem(row.line, "report", told, "one report a volume")
        if row.name and row.mask is not None:
            if (*row.study, row.name) in regions:
                yield Problem(row.line, "class", f"{row.name!r} has a mask already", "one mask a class of a volume")
            regions.add((*row.study, row.name))
