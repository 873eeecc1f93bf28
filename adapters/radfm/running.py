"""RadFM at work: a volume's vectors are kept for the next question about it, answers come in batches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from m3dbench.adapters.checkpoints import Checkpoint, Placement, load
from m3dbench.adapters.checkpoints.stored import shapes, tensors
from m3dbench.adapters.nets.halving import Halving
from m3dbench.adapters.nets.kept import Kept
from m3dbench.adapters.radfm.config import RadFMConfig
from m3dbench.adapters.radfm.model import SAME, UNUSED, RadFM
from m3dbench.adapters.radfm.volumes import scan
from m3dbench.errors import UserError

Volume = npt.NDArray[np.float32]
KEPT = 64
"""Volumes whose vectors are kept: 0.3 MB each in bfloat16."""


class Runner:
    """A loaded model. features: what the vision part made of the last volumes. size: the rule of in-plane sizes."""

    def __init__(self, model: RadFM, placement: Placement, size: str) -> None:
        self.model = model
        self.size = size
        self._placement = placement
        self.features: Kept[Tensor] = Kept(self._features, KEPT)
        self.halving = Halving()

    @staticmethod
    def load(checkpoint: Checkpoint, config: RadFMConfig, placement: Placement, size: str) -> Runner:
        """Raises UserError where the checkpoint's tensors are not this network's."""
        model = load(partial(RadFM, config), checkpoint, placement=placement, unused=UNUSED)
        insist_on_one_embedding(checkpoint, model.embedding_layer.weight)
        return Runner(model, placement, size)

    def images(self, volume: Volume) -> Tensor:
        """A volume (1, D, H, W) as the network takes it, (1, 3, H, W, D) on its size."""
        return scan(volume, self.size).to(self._placement.device, self._placement.torch_dtype)

    def answer(
        self, volumes: Sequence[Volume], prompts: Sequence[Sequence[int]], max_new_tokens: int
    ) -> list[tuple[int, ...]]:
        """Greedy answers (new ids) to prompts (token ids), each about its volume.

        An answer does not depend on its batch, so a batch that does not fit the memory is halved.
        """
        work = partial(self._answer, max_new_tokens=max_new_tokens)
        return self.halving.run(work, list(zip(volumes, prompts, strict=True)))

    @torch.inference_mode()
    def _answer(self, asked: Sequence[tuple[Volume, Sequence[int]]], *, max_new_tokens: int) -> list[tuple[int, ...]]:
        visual = [self.features.of(volume) for volume, _ in asked]
        prompts = [torch.tensor(ids, device=self._placement.device) for _, ids in asked]
        return self.model.generate(visual, prompts, max_new_tokens)

    @torch.inference_mode()
    def _features(self, volume: Volume) -> Tensor:
        return self.model.embedding_layer.visual(self.images(volume))


def insist_on_one_embedding(checkpoint: Checkpoint, loaded: Tensor) -> None:
    """The parameter that a checkpoint holds under two names has the same values under both. Raises UserError."""
    for path in checkpoint.files():
        for name, stored in tensors(path, [name for name in shapes(path) if name.endswith(SAME)]):
            if not torch.equal(stored.to(loaded.dtype), loaded.cpu()):
                raise UserError(
                    f"{SAME[0]} and {SAME[1]} differ, and in RadFM they are one parameter",
                    file=path,
                    record=name,
                    fix="is it a checkpoint of RadFM? Copy or download it again",
                )
