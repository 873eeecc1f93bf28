"""CSV tables and JSON lines of data sets and of answers, with errors that name file, line and column."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from m3dbench.data.arrays import need_file, unreachable
from m3dbench.errors import DataError

_RECODE = "save it as UTF-8, for example: iconv -f {0} -t UTF-8 {1}"


class Place:
    """Where a row stands, for messages."""

    def __init__(self, file: Path, line: int) -> None:
        self.file = file
        self.record = f"line {line}"


def _raise(error: DataError) -> None:
    raise error


def read_rows(
    path: Path, columns: Collection[str], bad: Callable[[DataError], None] = _raise
) -> Iterator[tuple[Place, dict[str, str]]]:
    """Rows of a CSV as text, nothing turned into NaN. A row is named by the line on which it begins.

    ``bad`` is given what is wrong with a row that has too many or too few fields; by default it is raised.
    Raises DataError naming file, line and column for missing columns, broken quoting, ragged rows and other encodings.
    """
    need_file(path, path)
    start = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            names = reader.fieldnames or ()
            missing = [column for column in columns if column not in names]
            if missing:
                there = ", ".join(names) if names else "nothing"
                raise DataError(
                    f"columns are missing; the first line holds: {there[:200]}",
                    file=path,
                    record="line 1",
                    field=", ".join(missing),
                    fix=f"needed, with commas between: {', '.join(columns)}",
                )
            start = reader.line_num + 1
            for row in reader:
                place = Place(path, start)
                if None in row or None in row.values():
                    fix = f"write {len(names)} fields, those with commas, quotes or newlines in double quotes"
                    bad(_row_error("the row has too many or too few fields", place, fix))
                else:
                    yield place, row
                start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"is not a valid CSV: {error}, in the row that begins here",
            file=path,
            record=f"line {start}",
            fix="close the quoted field, and write a quote inside it twice",
        ) from error
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error
    except OSError as error:
        raise unreachable(error, path) from error


def _row_error(message: str, place: Place, fix: str) -> DataError:
    return DataError(message, file=place.file, record=place.record, fix=fix, kind="malformed_record")


def read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a JSON lines file, each with its place ("line 3"). Raises DataError where one is not a JSON object."""
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            if raw.strip():
                yield f"line {number}", parse_line(raw, path, number)


def parse_line(raw: bytes, path: Path, number: int) -> dict[str, Any]:
    """One line as an object. Raises DataError."""
    try:
        row = json.loads(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"is not valid JSON: {error}", file=path, record=f"line {number}", fix="mend it") from error
    if not isinstance(row, dict):
        raise DataError("expected a JSON object", file=path, record=f"line {number}")
    return row


def not_utf8(path: Path, told: str | Path | None = None) -> DataError:
    """The error for a text file in another encoding: the first line that is not UTF-8, and what it may be instead."""
    with path.open("rb") as stream:
        if stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return DataError(
                "is UTF-16 text, not UTF-8", file=told or path, fix=_RECODE.format("UTF-16", path.name), kind="encoding"
            )
        stream.seek(0)
        for number, raw in enumerate(stream, 1):
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = f"byte 0x{raw[error.start]:02x} at place {error.start + 1}"
                return DataError(
                    f"is not UTF-8 text ({byte} of the line)",
                    file=told or path,
                    record=f"line {number}",
                    fix=_RECODE.format("CP1252", path.name),
                    kind="encoding",
                )
    return DataError("is not UTF-8 text", file=told or path, fix="save the file as UTF-8", kind="encoding")


def split_tables(root: Path, folders: Sequence[str], prefix: str) -> dict[str, str]:
    """Split -> path relative to ``root`` of the tables ``<prefix>_<split>.csv``; an earlier folder goes first."""
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted((root / folder).glob(f"{prefix}_*.csv")):
            split = path.stem.removeprefix(f"{prefix}_")
            found.setdefault({"val": "validation"}.get(split, split), str(Path(folder) / path.name))
    return found
