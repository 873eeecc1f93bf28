"""Arrays that predictions carry, in tar shards: checksummed, readable with ``tar`` and ``numpy.load``.

Shard ``00000.tar`` of a folder holds the arrays of samples 0..255 of the manifest and so on, one member a sample. A
shard grows by appending; what a killed writer left half done is cut.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

from m3dbench.data.prediction import ArrayRecord
from m3dbench.errors import DataError

PER_SHARD = 256
_BLOCK = 512
_END = bytes(2 * _BLOCK)


class Shards:
    """The shards of one folder. ``known`` are the journalled arrays: whatever lies beyond them is cut."""

    def __init__(self, folder: Path, known: Iterable[ArrayRecord] = ()) -> None:
        self.folder = folder
        self._ends: dict[str, int] = {}
        for record in known:
            end = _padded(record.offset + record.length)
            self._ends[record.shard] = max(self._ends.get(record.shard, 0), end)
        for path in folder.glob("*.tar"):
            end = self._ends.get(path.name, 0)
            if end == 0:
                path.unlink()
            elif path.stat().st_size > end:
                os.truncate(path, end)

    def append(self, index: int, suffix: str, content: bytes, shape: tuple[int, ...]) -> ArrayRecord:
        """Store the container of the manifest's index-th sample; its bytes have left this process on return."""
        header = tarfile.TarInfo(f"{index:08d}{suffix}")
        header.size = len(content)
        head = header.tobuf(tarfile.USTAR_FORMAT)
        shard = f"{index // PER_SHARD:05d}.tar"
        start = self._ends.get(shard, 0)
        self.folder.mkdir(exist_ok=True)
        with (self.folder / shard).open("r+b" if start else "wb") as stream:
            stream.seek(start)
            stream.write(head + content + bytes(_padded(len(content)) - len(content)))
            stream.truncate()
        self._ends[shard] = start + len(head) + _padded(len(content))
        digest = hashlib.sha256(content).hexdigest()
        return ArrayRecord(shard, start + len(head), len(content), digest, shape)

    def finish(self) -> None:
        """Close every shard with tar's end mark and sync it."""
        for shard, end in self._ends.items():
            with (self.folder / shard).open("r+b") as stream:
                stream.seek(end)
                stream.write(_END)
                stream.truncate()
                stream.flush()
                os.fsync(stream.fileno())


def stored(folder: Path, record: ArrayRecord) -> bool:
    """Whether the shard is long enough to hold the array."""
    path = folder / record.shard
    return path.exists() and path.stat().st_size >= _padded(record.offset + record.length)


def read(folder: Path, record: ArrayRecord) -> bytes:
    """The container's bytes. Raises DataError when they are missing or not those that were written."""
    path = folder / record.shard
    try:
        with path.open("rb") as stream:
            stream.seek(record.offset)
            content = stream.read(record.length)
    except OSError as error:
        raise DataError(f"the shard cannot be read: {error}", file=path) from error
    if hashlib.sha256(content).hexdigest() != record.digest:
        raise DataError(
            "the stored array is not what was written (checksum differs)", file=path, record=str(record.offset)
        )
    return content


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
