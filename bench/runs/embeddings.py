"""Predicted embeddings in shards: ``<index>.npy``, little-endian float32 (views + 1, dimensions): those of the image,
one or several, then the text's."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from m3dbench.data.prediction import ArrayRecord
from m3dbench.errors import DataError
from m3dbench.runs import shards


class EmbeddingShards(shards.Shards):
    """The embedding shards of one task's run. ``dimensions``: of the embeddings stored so far, None before the first.

    All embeddings of a run have one length, since each is compared with all.
    """

    def __init__(self, folder: Path, known: Iterable[ArrayRecord] = ()) -> None:
        records = list(known)
        super().__init__(folder, records)
        self.dimensions = records[0].shape[1] if records else None

    def add(self, index: int, embedding: npt.NDArray[np.float32]) -> ArrayRecord:
        """Store the embeddings (views + 1, dimensions) of the manifest's index-th sample."""
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(embedding, dtype="<f4"), allow_pickle=False)
        self.dimensions = embedding.shape[1]
        return self.append(index, ".npy", buffer.getvalue(), embedding.shape)


def read_embedding(folder: Path, record: ArrayRecord) -> npt.NDArray[np.float32]:
    """The embeddings (views + 1, dimensions), the text's last.

    Raises DataError when their bytes are missing or not those that were written.
    """
    content = shards.read(folder, record)
    try:
        return np.asarray(np.load(io.BytesIO(content), allow_pickle=False), dtype=np.float32)
    except ValueError as error:
        raise DataError(f"is not a stored embedding: {error}", file=folder / record.shard) from error
