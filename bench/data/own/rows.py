"""The table of own data: its columns, and every wrong row of it told at once."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from m3dbench.data.own.checks import BOX, COLUMNS, Problem, choices_of, problems_of, refuse
from m3dbench.data.readers.m3d_vqa import LETTERS, MISSING_CHOICE, QUESTION_TYPES
from m3dbench.data.tables import read_rows
from m3dbench.errors import UserError


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
        found = list(problems_of(cells, table.parent, line))
        problems += found
        if not found:
            rows.append(_row(cells, table.parent, line))
    if not problems:
        problems += between(rows)
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


def _row(cells: Mapping[str, str], folder: Path, line: int) -> Row:
    get = cells.get
    volume = folder / cells["volume"]
    stem = volume.name.removesuffix(".gz").removesuffix(".nii").removesuffix(".npy")
    offered = choices_of(cells)
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


def between(rows: list[Row]) -> Iterator[Problem]:
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
