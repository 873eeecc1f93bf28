"""M3D-LaMed at work: what was computed of a volume is kept for the next question about it, answers come in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from m3dbench.adapters.checkpoints import Checkpoint, Placement, load
from m3dbench.adapters.m3d_lamed.config import LaMedConfig
from m3dbench.adapters.m3d_lamed.model import UNUSED, LaMed, rename
from m3dbench.adapters.nets.grids import Grid, resized, to_model
from m3dbench.adapters.nets.halving import Halving
from m3dbench.adapters.nets.kept import Kept

Volume = npt.NDArray[np.float32]
KEPT = 16
"""Volumes whose features are kept: about 8 MB each in bfloat16, of both encoders."""


@dataclass(frozen=True)
class Spoken:
    """New token ids; for ``[SEG]`` the mask's probabilities (D, H, W) on the volume's own grid, None without one."""

    ids: tuple[int, ...]
    mask: npt.NDArray[np.float32] | None


class Runner:
    """A loaded model. features, cells: what vision tower and mask decoder's encoder made of the last volumes."""

    def __init__(self, model: LaMed, placement: Placement) -> None:
        self.model = model
        self.grid: Grid = model.config.vision.image_size
        self._placement = placement
        self.features: Kept[Tensor] = Kept(self._features, KEPT)
        self.cells: Kept[Tensor] = Kept(self._cells, KEPT)
        self.halving = Halving()

    @staticmethod
    def load(checkpoint: Checkpoint, config: LaMedConfig, placement: Placement) -> Runner:
        """Raises UserError where the checkpoint's tensors are not this network's."""
        build = partial(LaMed, config)
        return Runner(load(build, checkpoint, placement=placement, rename=rename, unused=UNUSED), placement)

    def images(self, volume: Volume) -> Tensor:
        """A volume (1, D, H, W), 0..1, as the network takes it: (1, 1, D, H, W) on its grid."""
        return to_model(volume, self.grid).to(self._placement.device, self._placement.torch_dtype)

    def answer(
        self, volumes: Sequence[Volume], prompts: Sequence[Sequence[int]], max_new_tokens: int, *, masks: bool
    ) -> list[Spoken]:
        """Greedy answers to prompts (token ids), each about its volume; masks decoded only where asked for.

        An answer does not depend on its batch, so a batch that does not fit the memory is halved.
        """
        work = partial(self._answer, max_new_tokens=max_new_tokens, masks=masks)
        return self.halving.run(work, list(zip(volumes, prompts, strict=True)))

    @torch.inference_mode()
    def _answer(
        self, asked: Sequence[tuple[Volume, Sequence[int]]], *, max_new_tokens: int, masks: bool
    ) -> list[Spoken]:
        features = [self.features.of(volume) for volume, _ in asked]
        prompts = [torch.tensor(ids, device=self._placement.device) for _, ids in asked]
        generated = self.model.generate(features, prompts, max_new_tokens)
        return [
            Spoken(one.ids, self._mask(volume, one.seg) if masks and one.seg is not None else None)
            for one, (volume, _) in zip(generated, asked, strict=True)
        ]

    def _mask(self, volume: Volume, seg: Tensor) -> npt.NDArray[np.float32]:
        logits = self.model.mask_logits(self.cells.of(volume), seg[None])
        probabilities = resized(logits.float(), volume.shape[-3:]).sigmoid()[0, 0]
        return np.asarray(probabilities.cpu().numpy(), dtype=np.float32)

    @torch.inference_mode()
    def _features(self, volume: Volume) -> Tensor:
        return self.model.image_features(self.images(volume))[0]

    @torch.inference_mode()
    def _cells(self, volume: Volume) -> Tensor:
        return self.model.segmentation.encode(self.images(volume))
