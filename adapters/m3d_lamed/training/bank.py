"""Features of the trained vision tower, computed once a volume and kept on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from m3dbench.adapters.nets.vit3d import ViT3D

from .pool import CHUNK, Pool
from .tower import images_of

_BATCH = 10
_POOLING = 2


class FeatureBank:
    """Pooled patches (tokens, width) and the class token (width,) of every volume that was asked for.

    They are computed in chunks of the pool's size and kept in ``directory`` under the tower's digest, so that stages
    which run side by side share the work.
    """

    def __init__(self, tower: ViT3D, pool: Pool, directory: Path) -> None:
        self._tower, self._pool, self._directory = tower.eval(), pool, directory
        digest = hashlib.sha256()
        for value in tower.state_dict().values():
            digest.update(value.numpy().tobytes())
        self._name = digest.hexdigest()[:12]
        self._chunks: dict[int, tuple[Tensor, Tensor]] = {}

    def pooled(self, numbers: Sequence[int]) -> Tensor:
        """float32 (B, tokens, width)"""
        return torch.stack([self._chunk(number // CHUNK)[0][number % CHUNK] for number in numbers]).float()

    def first(self, numbers: Sequence[int]) -> Tensor:
        """float32 (B, width)"""
        return torch.stack([self._chunk(number // CHUNK)[1][number % CHUNK] for number in numbers]).float()

    def _chunk(self, chunk: int) -> tuple[Tensor, Tensor]:
        if chunk not in self._chunks:
            path = self._directory / f"features-{self._name}-{chunk:04d}.npz"
            if not path.exists():
                self._write(chunk, path)
            with np.load(path) as kept:
                self._chunks[chunk] = torch.from_numpy(kept["pooled"]), torch.from_numpy(kept["first"])
        return self._chunks[chunk]

    def _write(self, chunk: int, path: Path) -> None:
        pooled, first = [], []
        for start in range(chunk * CHUNK, (chunk + 1) * CHUNK, _BATCH):
            with torch.no_grad():
                tokens = self._tower(images_of([self._pool[number] for number in range(start, start + _BATCH)]))
                cells = tokens[:, 1:].transpose(1, 2).unflatten(2, self._tower.config.grid)
                pooled.append(functional.avg_pool3d(cells, _POOLING).flatten(2).transpose(1, 2).half().numpy())
                first.append(tokens[:, 0].half().numpy())
        self._directory.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        with scratch.open("wb") as file:
            np.savez(file, pooled=np.concatenate(pooled), first=np.concatenate(first))
        scratch.replace(path)
