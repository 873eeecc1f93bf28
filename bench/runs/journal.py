"""The journal of a run: one JSON line per prediction, appended the moment it exists; a torn last line is dropped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from m3dbench.data.prediction import ARRAYS, StoredPrediction
from m3dbench.runs import jsonl

SYNC_EVERY_S = 1.0


class Journal:
    """Append-only rows with an ``id``; call ``mend`` before, which cuts what a killed writer left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = path.open("ab")
        self._synced = time.monotonic()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()

    def append(self, row: Mapping[str, Any]) -> None:
        """The row has left this process when this returns; it is synced to disk at least once a second."""
        self._stream.write(jsonl.line(row))
        self._stream.flush()
        now = time.monotonic()
        if now - self._synced > SYNC_EVERY_S:
            os.fsync(self._stream.fileno())
            self._synced = now


def mend(path: Path, good: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Cut what a killed writer left half done and return the light rows (see ``_light``) that stand.

    The tail is cut at the first line that is torn (no newline) or that ``good`` rejects (its arrays never reached the
    disk): everything before it stands. Raises DataError when a whole line in the middle is not JSON.
    """
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = []
    end = 0
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            if not raw.endswith(b"\n"):
                break
            row = jsonl.parse(raw, path, number)
            if not good(row):
                break
            rows.append(_light(row))
            end += len(raw)
    if path.stat().st_size != end:
        os.truncate(path, end)
    return rows


def drop(path: Path, unwanted: Callable[[dict[str, Any]], bool]) -> None:
    """Rewrite the journal, atomically, without the unwanted rows."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as target:
        for row in jsonl.read(path):
            if not unwanted(row):
                target.write(jsonl.line(row))
        target.flush()
        os.fsync(target.fileno())
    temporary.replace(path)


class Rows:
    """Random access to a journal by id, keeping only byte offsets in memory. newest: of rows with one id the last
    counts, else the first."""

    def __init__(self, path: Path, *, newest: bool = False) -> None:
        self._path = path
        self._offsets: dict[str, int] = {}
        self._stream: BinaryIO | None = None
        if path.exists():
            with path.open("rb") as stream:
                offset = 0
                for number, raw in enumerate(stream, 1):
                    if raw.endswith(b"\n"):
                        name = str(jsonl.parse(raw, path, number)["id"])
                        self._offsets[name] = offset if newest else self._offsets.get(name, offset)
                    offset += len(raw)

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[str]:
        return iter(self._offsets)

    def get(self, row_id: str) -> dict[str, Any] | None:
        """The row with this id, None where there is none."""
        if row_id not in self._offsets:
            return None
        if self._stream is None:
            self._stream = self._path.open("rb")
        self._stream.seek(self._offsets[row_id])
        return jsonl.parse(self._stream.readline(), self._path, 0)

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def predictions(rows: Rows) -> Callable[[str], StoredPrediction | None]:
    """Stored predictions by sample id, None where there is none."""

    def prediction_of(sample_id: str) -> StoredPrediction | None:
        row = rows.get(sample_id)
        return None if row is None else StoredPrediction.from_json(row)

    return prediction_of


def _light(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("id", "status", *ARRAYS) if key in row}
