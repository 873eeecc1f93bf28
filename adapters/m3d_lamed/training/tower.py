"""Stage 1: the vision tower learns to say what lies where, and what is true of the whole volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from m3dbench.adapters.nets.vit3d import ViT3D, ViT3DConfig
from m3dbench.data.phantom import PLANES, SETTINGS
from m3dbench.data.phantom.anatomy import COVERAGES

from .cases import TrainingCase
from .loop import Stage
from .optimiser import optimisers
from .pool import Pool
from .targets import FINE, FLAGS, SIZES, STRUCTURES, global_targets, structures

_POOLING = 2
# Findings fill a thousandth of a volume; what is no structure of interest counts less than it is large.
_WEIGHTS = torch.tensor([0.5, *[1.0] * 16, *[60.0] * (len(STRUCTURES) - 17)])


def images_of(cases: Sequence[TrainingCase]) -> Tensor:
    """float32 (B, 1, D, H, W) in [0, 1]."""
    return torch.from_numpy(np.stack([case.image for case in cases])).float().div_(255)[:, None]


def cells_of(grid: tuple[int, int, int]) -> int:
    """Cells of the grid ``FINE`` in one patch."""
    return prod(FINE) // prod(grid)


def structures_by_token(cases: Sequence[TrainingCase], grid: tuple[int, int, int]) -> Tensor:
    """int64 (B, N, cells): the structure of every cell of every patch."""
    target = torch.from_numpy(np.stack([structures(case) for case in cases]))
    (d, h, w), (a, b, c) = grid, (fine // count for fine, count in zip(FINE, grid, strict=True))
    return target.view(-1, d, a, h, b, w, c).permute(0, 1, 3, 5, 2, 4, 6).reshape(len(cases), d * h * w, -1)


def dense_loss(head: nn.Linear, tokens: Tensor, by_token: Tensor) -> Tensor:
    """Cross entropy of structures (B, N, cells) told from tokens (B, N, width)."""
    # Half of the patches tell nearly as much as all, for half of the work.
    some = torch.randperm(tokens.shape[1])[: tokens.shape[1] // 2]
    logits = head(tokens[:, some]).unflatten(-1, (-1, len(STRUCTURES)))
    return functional.cross_entropy(logits.flatten(0, 2), by_token[:, some].flatten(), _WEIGHTS)


class TowerTask(nn.Module):
    """The tower with heads that only training needs."""

    def __init__(self, config: ViT3DConfig) -> None:
        super().__init__()
        self.tower = ViT3D(config)
        self.dense = nn.Linear(config.width, cells_of(config.grid) * len(STRUCTURES))
        self.pooled = nn.Linear(config.width, len(STRUCTURES))
        self.whole = nn.Linear(config.width, len(PLANES) + len(SETTINGS) + len(COVERAGES) + FLAGS + SIZES)

    def losses(self, cases: Sequence[TrainingCase]) -> dict[str, Tensor]:
        """dense: structure of every cell; pooled: of every image token; the others: facts, from the class token."""
        tokens = self.tower(images_of(cases))
        grid = self.tower.config.grid
        by_token = structures_by_token(cases, grid)
        dense = dense_loss(self.dense, tokens[:, 1:], by_token)
        present = torch.zeros(*by_token.shape[:2], len(STRUCTURES)).scatter_(2, by_token, 1)
        spread = present.transpose(1, 2).reshape(len(present), -1, *grid)
        present = functional.max_pool3d(spread, _POOLING).flatten(2).transpose(1, 2)
        pooled_tokens = functional.avg_pool3d(tokens[:, 1:].transpose(1, 2).unflatten(2, grid), _POOLING)
        pooled = functional.binary_cross_entropy_with_logits(
            self.pooled(pooled_tokens.flatten(2).transpose(1, 2)), present
        )
        return {"dense": dense, "pooled": pooled, **self._whole(tokens[:, 0], list(cases))}

    def _whole(self, first: Tensor, cases: list[TrainingCase]) -> dict[str, Tensor]:
        targets = global_targets(cases)
        parts = self.whole(first).split((len(PLANES), len(SETTINGS), len(COVERAGES), FLAGS, SIZES), dim=-1)
        named = functional.cross_entropy(parts[0], targets.plane) + functional.cross_entropy(parts[1], targets.setting)
        named = named + functional.cross_entropy(parts[2], targets.coverage)
        flags = functional.binary_cross_entropy_with_logits(parts[3], targets.flags)
        missed = functional.smooth_l1_loss(parts[4], targets.sizes, reduction="none", beta=0.2)
        sizes = (missed * targets.size_weights).sum() / targets.size_weights.sum()
        return {"named": named, "flags": flags, "sizes": sizes}


class TowerStage(Stage):
    """Stage 1."""

    name = "tower"
    shares: ClassVar[Mapping[str, float]] = {"dense": 1.0, "pooled": 1.0, "named": 0.3, "flags": 2.0, "sizes": 1.0}

    def __init__(self, config: ViT3DConfig, pool: Pool, count: int, batch: int = 8, lr: float = 1e-3) -> None:
        self.module = self._task = TowerTask(config)
        self._pool, self._count, self._batch, self._lr = pool, count, batch, lr
        initialise(self._task.tower, images_of([pool[number] for number in range(min(count, 100))]))

    @property
    def tower(self) -> ViT3D:
        return self._task.tower

    def optimisers(self) -> list[torch.optim.Optimizer]:
        return optimisers(self._task, self._lr, ("dense", "pooled", "whole", "tower.patch_embedding"))

    def losses(self, draws: np.random.Generator) -> dict[str, Tensor]:
        return self._task.losses([self._pool[int(number)] for number in draws.integers(0, self._count, self._batch)])


@torch.no_grad()
def initialise(tower: ViT3D, images: Tensor) -> None:
    """Start from whitened patches and sinusoidal positions: both are learned on from there.

    Neighbouring voxels are nearly equal, so without whitening the embedding learns brightness first and edges last.
    """
    config = tower.config
    embedding = tower.patch_embedding
    cut, linear = embedding.patch_embeddings
    assert isinstance(linear, nn.Linear)  # noqa: S101 - narrows the type
    patches = cut(images).flatten(0, 1)
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((patches - mean).T))
    order = values.argsort(descending=True)[: config.width]
    scale = 0.7 / (values[order] + 0.02 * values[order].mean()).sqrt()
    linear.weight.zero_()
    linear.weight[: len(order)] = vectors[:, order].T * scale[:, None]
    # A rotation spreads the components over all channels.
    turn, _ = torch.linalg.qr(torch.randn(config.width, config.width))
    linear.weight.copy_(turn @ linear.weight)
    linear.bias.copy_(-(linear.weight @ mean))
    tower.patch_embedding.position_embeddings.copy_(_sinusoids(config.grid, config.width)[None])
    if config.class_token:
        tower.cls_token.normal_(std=0.02)


def _sinusoids(grid: tuple[int, int, int], width: int) -> Tensor:
    places = torch.stack(torch.meshgrid(*(torch.arange(size) / size for size in grid), indexing="ij"), -1).flatten(0, 2)
    frequencies = torch.pi * 1.6 ** torch.arange(width // 6)
    phase = (places[:, :, None] * frequencies).flatten(1)
    code = torch.cat([phase.sin(), phase.cos()], -1)
    return functional.pad(code, (0, width - code.shape[1])) * 0.5
