"""Predicted masks in shards, bit-packed: ``<index>.npz`` with ``bits`` (numpy.packbits) and ``shape`` (D, H, W)."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from m3dbench.data.prediction import ArrayRecord
from m3dbench.errors import DataError
from m3dbench.runs import shards


class MaskShards(shards.Shards):
    """The mask shards of one task's run."""

    def add(self, index: int, mask: npt.NDArray[np.bool_]) -> ArrayRecord:
        """Store the mask (D, H, W) of the manifest's index-th sample."""
        return self.append(index, ".npz", _pack(mask), mask.shape)


def read_mask(folder: Path, record: ArrayRecord) -> npt.NDArray[np.bool_]:
    """The mask (D, H, W). Raises DataError when its bytes are missing or not those that were written."""
    return unpack(shards.read(folder, record), str(folder / record.shard))


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
