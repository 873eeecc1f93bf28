"""Stage 2: the segmentation module learns to outline what a prompt vector names.

A table of vectors stands in for the language model, which learns in stage 3 to say them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from m3dbench.adapters.nets.segvol import SegVol, SegVolConfig
from m3dbench.adapters.nets.two_way import position_code
from m3dbench.data.phantom import CLASSES, KINDS, Finding

from .cases import TrainingCase
from .loop import Stage
from .optimiser import optimisers
from .pool import Pool
from .targets import SITES, STRUCTURES
from .tower import cells_of, dense_loss, images_of, initialise, structures_by_token

CONCEPTS: tuple[tuple[str, ...], ...] = tuple(dict.fromkeys(organs for organs in CLASSES.values() if organs))
"""What class names mean, each once: ``kidney`` and ``kidneys`` are the same two organs."""
_RARELY_ASKED = (("liver",), CLASSES["lungs"])
_SHIFT = 3
_DENSE_ONLY, _FULL = 0.3, 0.8
"""Until the first share of the training the encoder learns alone; from the second on, masks count at full size."""


@dataclass(frozen=True)
class Asked:
    """One thing to outline: rows of the table, summed to the prompt vector, and its voxels (D, H, W)."""

    rows: tuple[int, ...]
    mask: np.ndarray


def class_rows(name: str) -> tuple[int, ...]:
    """The rows of the table for a class. Raises KeyError for a class that is never in a volume."""
    return (CONCEPTS.index(CLASSES[name]),) if CLASSES[name] else ()


def finding_rows(finding: Finding) -> tuple[int, ...]:
    """The rows of the table for a finding: its kind's and its site's."""
    return len(CONCEPTS) + KINDS.index(finding.kind), len(CONCEPTS) + len(KINDS) + SITES.index(finding.place)


class PromptTable(nn.Module):
    """Sums of rows; ``TABLE`` rows of the width of the mask decoder."""

    ROWS = len(CONCEPTS) + len(KINDS) + len(SITES)

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rows = nn.Embedding(self.ROWS, width)

    def forward(self, asked: Sequence[tuple[int, ...]]) -> Tensor:
        """(B, width)"""
        return torch.stack([self.rows.weight[list(rows)].sum(0) for rows in asked])


class MasksTask(nn.Module):
    """The segmentation module, the table, and a head that only training needs."""

    def __init__(self, config: SegVolConfig) -> None:
        super().__init__()
        self.segmentation = SegVol(config)
        self.table = PromptTable(config.encoder.width)
        self.dense = nn.Linear(config.encoder.width, cells_of(config.encoder.grid) * len(STRUCTURES))

    def decode_low(self, cells: Tensor, text: Tensor) -> Tensor:
        """As ``SegVol.decode``, before the logits are brought to the image's grid."""
        grid, prompts = self.segmentation.config.encoder.grid, self.segmentation.prompt_encoder
        code = position_code(grid, prompts.pe_layer.positional_encoding_gaussian_matrix)
        low: Tensor = self.segmentation.mask_decoder(cells + prompts.no_mask_embed.weight, code, text)
        return low


def asked_of(case: TrainingCase, draws: np.random.Generator, count: int) -> list[Asked]:
    """``count`` things in the volume, a finding first where there is one."""
    asked: list[Asked] = []
    for index in draws.permutation(len(case.facts.findings)).tolist()[: count - 1]:
        mask = case.case.finding_mask(index)
        rows = finding_rows(case.facts.findings[index])
        # A question may name the kind alone or the site alone.
        told = draws.random()
        rows = rows[:1] if told < 0.1 else rows[1:] if told < 0.25 else rows
        if mask.any():
            asked.append(Asked(rows, mask))
    order = draws.permutation(len(CONCEPTS)).tolist()
    for index in order:
        if len(asked) == count:
            break
        if CONCEPTS[index] in _RARELY_ASKED and draws.random() < 0.5:
            continue
        mask = np.logical_or.reduce([case.case.organ(organ) for organ in CONCEPTS[index]])
        if mask.any():
            asked.append(Asked((index,), mask))
    return asked


def shifted(case: TrainingCase, draws: np.random.Generator) -> TrainingCase:
    """The volume moved in its slices by a few voxels."""
    by = tuple(draws.integers(-_SHIFT, _SHIFT + 1, 2).tolist())
    labels = np.roll(case.case.labels, by, axis=(1, 2))
    return replace(case, image=np.roll(case.image, by, axis=(1, 2)), case=replace(case.case, labels=labels))


def mask_losses(logits: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Soft Dice loss and cross entropy of logits and masks (B, 1, D, H, W)."""
    probability = logits.sigmoid()
    overlap = (probability * masks).sum((1, 2, 3, 4))
    dice = 1 - (2 * overlap + 1) / (probability.sum((1, 2, 3, 4)) + masks.sum((1, 2, 3, 4)) + 1)
    return dice.mean(), functional.binary_cross_entropy_with_logits(logits, masks)


class MasksStage(Stage):
    """Stage 2."""

    name = "masks"
    shares: ClassVar[Mapping[str, float]] = {"dense": 0.6, "dice": 1.0, "bce": 3.0}

    def __init__(
        self, config: SegVolConfig, pool: Pool, count: int, batch: int = 8, prompts: int = 2, lr: float = 1e-3
    ) -> None:
        self.module = self._task = MasksTask(config)
        self._pool, self._batch, self._prompts, self._lr = pool, batch, prompts, lr
        self._numbers = [number for number in range(count) if number % 5 in (2, 4)]
        initialise(self._task.segmentation.image_encoder, images_of([pool[n] for n in self._numbers[:100]]))

    def optimisers(self) -> list[torch.optim.Optimizer]:
        return optimisers(self._task, self._lr, ("dense", "segmentation.image_encoder.patch_embedding"))

    def losses(self, draws: np.random.Generator) -> dict[str, Tensor]:
        numbers = draws.choice(self._numbers, self._batch)
        cases = [shifted(self._pool[int(number)], draws) for number in numbers]
        cells = self._task.segmentation.encode(images_of(cases))
        dense = dense_loss(
            self._task.dense, cells, structures_by_token(cases, self._task.segmentation.config.encoder.grid)
        )
        if self.progress < _DENSE_ONLY:
            return {"dense": dense}
        asked = [asked_of(case, draws, self._prompts) for case in cases]
        flat = [one for several in asked for one in several]
        text = self._task.table([one.rows for one in flat])
        repeated = cells.repeat_interleave(torch.tensor([len(several) for several in asked]), dim=0)
        masks = torch.from_numpy(np.stack([one.mask for one in flat])).float()[:, None]
        decode = self._task.segmentation.decode if self.progress > _FULL else self._task.decode_low
        logits = decode(repeated, text)
        size = logits.shape[2:]
        dice, bce = mask_losses(logits, functional.adaptive_avg_pool3d(masks, (size[0], size[1], size[2])))
        return {"dense": dense, "dice": dice, "bce": bce}
