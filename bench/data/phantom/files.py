"""Writing files whose bytes are the same on every machine, and keeping their digests."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class Files:
    """A folder being filled. ``digests`` maps every path written, relative with "/", to its sha256."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.digests: dict[str, str] = {}

    def data(self, path: str, content: bytes) -> None:
        """Raises ``ValueError`` when the path was written before: two cases would share a file."""
        if path in self.digests:
            raise ValueError(f"{path} is written twice")
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self.digests[path] = hashlib.sha256(content).hexdigest()

    def array(self, path: str, values: npt.NDArray[Any]) -> None:
        """An ``.npy`` file, little-endian and in C order."""
        values = np.ascontiguousarray(values)
        buffer = io.BytesIO()
        np.lib.format.write_array(
            buffer, values.astype(values.dtype.newbyteorder("<"), copy=False), version=(1, 0), allow_pickle=False
        )
        self.data(path, buffer.getvalue())

    def text(self, path: str, content: str) -> None:
        self.data(path, content.encode())

    def json(self, path: str, content: object) -> None:
        self.text(path, json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False) + "\n")

    def table(self, path: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A CSV file after RFC 4180 but for LF at the end of a line, as the published ones have it."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        self.text(path, buffer.getvalue())
