"""The arrays of one task's predictions, all kinds together: what the journal refers to."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from m3dbench.data.prediction import ARRAYS, StoredPrediction
from m3dbench.runs import shards
from m3dbench.runs.embeddings import EmbeddingShards
from m3dbench.runs.folder import TaskFolder
from m3dbench.runs.masks import MaskShards


class Arrays:
    """Writers of a task folder's shards; ``known`` are the predictions that its journal holds."""

    def __init__(self, folder: TaskFolder, known: Collection[StoredPrediction] = ()) -> None:
        self.masks = MaskShards(folder.masks, [item.mask for item in known if item.mask is not None])
        self.embeddings = EmbeddingShards(
            folder.embeddings, [item.embedding for item in known if item.embedding is not None]
        )

    def finish(self) -> None:
        """Close and sync what was written."""
        self.masks.finish()
        self.embeddings.finish()


def complete(row: dict[str, Any], folder: TaskFolder) -> bool:
    """Whether all arrays that a journal row refers to have reached the disk."""
    light = StoredPrediction.from_json({key: row[key] for key in ("id", "status", *ARRAYS) if key in row})
    return (light.mask is None or shards.stored(folder.masks, light.mask)) and (
        light.embedding is None or shards.stored(folder.embeddings, light.embedding)
    )
