"""The predictions that a submission may bring along."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from pathlib import Path

from m3dbench.errors import UserError


def read_answers(path: Path) -> tuple[bytes, Counter[str]]:
    """The journal of a run (JSON lines) out of its gzipped copy, and how many predictions have each status.

    Raises UserError, naming file and line, where it is none.
    """
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"cannot be read: {error}", file=path) from error
    statuses: Counter[str] = Counter()
    for number, line in enumerate(raw.splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UserError(f"is not valid JSON: {error}", file=path, record=f"line {number}") from error
        if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in ("id", "status")):
            raise UserError("is no prediction: it needs an id and a status", file=path, record=f"line {number}")
        statuses[row["status"]] += 1
    return raw, statuses
