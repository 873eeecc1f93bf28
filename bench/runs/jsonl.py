"""JSON lines and JSON documents with one canonical form, so that equal content is equal bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from m3dbench.data.tables import parse_line, read_lines

parse = parse_line


def line(row: Mapping[str, Any]) -> bytes:
    """One row as UTF-8 with its newline. Raises ValueError on NaN or infinity, which JSON does not have."""
    try:
        return (json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n").encode()
    except UnicodeEncodeError:  # a model may emit lone surrogates, which UTF-8 cannot hold but an escape can
        return (json.dumps(row, ensure_ascii=True, separators=(",", ":"), allow_nan=False) + "\n").encode()


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSON lines file. Raises DataError naming the line when one is not a JSON object."""
    for _, row in read_lines(path):
        yield row


def document(content: Mapping[str, Any]) -> bytes:
    """A JSON document for people to read, as UTF-8."""
    return (json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def write_document(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a JSON document atomically: a reader sees the old one or the new one, whole."""
    replace(path, document(content))


def replace(path: Path, content: bytes) -> None:
    """Replace a file atomically."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
