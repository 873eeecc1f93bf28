"""Random access to ``scores.jsonl`` by sample, keeping only byte offsets in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from m3dbench.runs import jsonl

_AFTER_ID = b',"scoring":'


class ScoreRows:
    """The rows of one sample lie together in the file, one a scoring and metric."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, tuple[int, int]] = {}
        self._stream: BinaryIO | None = None
        if not path.is_file():
            return
        with path.open("rb") as stream:
            offset = start = rows = 0
            beginning, sample_id = b"\n", ""
            for number, raw in enumerate(stream, 1):
                if not raw.endswith(b"\n"):
                    break
                # Rows begin with their id, so that of the many of a sample one has to be parsed.
                if not raw.startswith(beginning):
                    head, found, _ = raw.partition(_AFTER_ID)
                    beginning = head + found if found else b"\n"
                    told = str(jsonl.parse(raw, path, number)["id"])
                    if told != sample_id:
                        self._places.setdefault(sample_id, (start, rows))
                        start, rows, sample_id = offset, 0, told
                rows += 1
                offset += len(raw)
            self._places.setdefault(sample_id, (start, rows))

    def get(self, sample_id: str) -> list[dict[str, Any]]:
        """The rows of a sample, none where it was not scored."""
        start, rows = self._places.get(sample_id, (0, 0))
        if not rows:
            return []
        if self._stream is None:
            self._stream = self._path.open("rb")
        self._stream.seek(start)
        found = [jsonl.parse(self._stream.readline(), self._path, 0) for _ in range(rows)]
        return [row for row in found if row["id"] == sample_id]

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
