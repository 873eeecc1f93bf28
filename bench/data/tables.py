"""CSV tables of data sets and of answers, read as plain text, with errors that name file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from m3dbench.errors import DataError


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


def split_tables(root: Path, folders: Sequence[str], prefix: str) -> dict[str, str]:
    """Split -> path relative to ``root`` of the tables ``<prefix>_<split>.csv``; an earlier folder goes first."""
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted((root / folder).glob(f"{prefix}_*.csv")):
            split = path.stem.removeprefix(f"{prefix}_")
            found.setdefault({"val": "validation"}.get(split, split), str(Path(folder) / path.name))
    return found
