"""Predicted masks in tar shards: bit-packed, compressed, checksummed, readable with ``tar`` and ``numpy.load``.

Shard ``masks/00000.tar`` holds the masks of samples 0..255 of the manifest and so on, as ``<index>.npz`` with the
arrays ``bits`` (numpy.packbits) and ``shape`` (D, H, W). A shard grows by appending; what a killed writer left half
done is cut.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from m3dbench.data.prediction import MaskRecord
from m3dbench.errors import DataError

PER_SHARD = 256
_BLOCK = 512
_END = bytes(2 * _BLOCK)


class MaskShards:
    """The shards of one task's run. ``known`` are the journalled masks: whatever lies beyond them is cut."""

    def __init__(self, folder: Path, known: Iterable[MaskRecord] = ()) -> None:
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

    def add(self, index: int, mask: npt.NDArray[np.bool_]) -> MaskRecord:
        """Store the mask (D, H, W) of the manifest's index-th sample; its bytes have left this process on return."""
        content = _pack(mask)
        header = tarfile.TarInfo(f"{index:08d}.npz")
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
        depth, height, width = mask.shape
        return MaskRecord(shard, start + len(head), len(content), digest, (depth, height, width))

    def finish(self) -> None:
        """Close every shard with tar's end mark and sync it."""
        for shard, end in self._ends.items():
            with (self.folder / shard).open("r+b") as stream:
                stream.seek(end)
                stream.write(_END)
                stream.truncate()
                stream.flush()
                os.fsync(stream.fileno())


def stored(folder: Path, record: MaskRecord) -> bool:
    """Whether the shard is long enough to hold the mask."""
    path = folder / record.shard
    return path.exists() and path.stat().st_size >= _padded(record.offset + record.length)


def read_mask(folder: Path, record: MaskRecord) -> npt.NDArray[np.bool_]:
    """The mask (D, H, W). Raises DataError when its bytes are missing or not those that were written."""
    path = folder / record.shard
    try:
        with path.open("rb") as stream:
            stream.seek(record.offset)
            content = stream.read(record.length)
    except OSError as error:
        raise DataError(f"the mask shard cannot be read: {error}", file=path) from error
    if hashlib.sha256(content).hexdigest() != record.digest:
        raise DataError(
            "the stored mask is not what was written (checksum differs)", file=path, record=str(record.offset)
        )
    return unpack(content, str(path))


def unpack(content: bytes, name: str) -> npt.NDArray[np.bool_]:
    """The mask (D, H, W) in the bytes of an npz with ``bits`` and ``shape``."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            shape = tuple(int(size) for size in arrays["shape"])
            return np.unpackbits(arrays["bits"], count=int(np.prod(shape))).reshape(shape).astype(np.bool_)
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"is not a packed mask: {error}", file=name) from error


def _pack(mask: npt.NDArray[np.bool_]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, bits=np.packbits(mask), shape=np.asarray(mask.shape, dtype=np.int32))
    return buffer.getvalue()


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
