"""Features of the trained vision tower, computed once a volume."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from m3dbench.adapters.nets.vit3d import ViT3D

from .pool import Pool
from .tower import images_of

_BATCH = 8
_POOLING = 2


class FeatureBank:
    """Pooled patches (tokens, width) and the class token (width,) of every volume that was asked for."""

    def __init__(self, tower: ViT3D, pool: Pool) -> None:
        self._tower, self._pool = tower.eval(), pool
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    def fill(self, numbers: Sequence[int]) -> None:
        """Compute what is missing."""
        missing = [number for number in dict.fromkeys(numbers) if number not in self._kept]
        for start in range(0, len(missing), _BATCH):
            some = missing[start : start + _BATCH]
            with torch.no_grad():
                tokens = self._tower(images_of([self._pool[number] for number in some]))
                cells = tokens[:, 1:].transpose(1, 2).unflatten(2, self._tower.config.grid)
                pooled = functional.avg_pool3d(cells, _POOLING).flatten(2).transpose(1, 2)
            for number, patches, first in zip(some, pooled.half(), tokens[:, 0].half(), strict=True):
                self._kept[number] = patches.clone(), first.clone()

    def pooled(self, numbers: Sequence[int]) -> Tensor:
        """float32 (B, tokens, width)"""
        self.fill(numbers)
        return torch.stack([self._kept[number][0] for number in numbers]).float()

    def first(self, numbers: Sequence[int]) -> Tensor:
        """float32 (B, width)"""
        self.fill(numbers)
        return torch.stack([self._kept[number][1] for number in numbers]).float()
