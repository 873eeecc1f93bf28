"""Med-2E3 at work: what the towers made of a volume is kept for the next question about it, answers come in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from m3dbench.adapters.checkpoints import Checkpoint, Placement, load
from m3dbench.adapters.m3d_clip.texts import ReportTokens
from m3dbench.adapters.med_2e3.config import Med2E3Config
from m3dbench.adapters.med_2e3.model import PROJECTION, UNUSED, Med2E3, Seen, rename
from m3dbench.adapters.nets.grids import Grid, to_model
from m3dbench.adapters.nets.halving import Halving
from m3dbench.adapters.nets.kept import Kept
from m3dbench.data.foreground import foreground
from m3dbench.data.prediction import SliceWeights

Volume = npt.NDArray[np.float32]
KEPT = 4
"""Volumes whose tokens are kept: about 55 MB each in bfloat16, since fusing needs every slice's."""
DIGITS = 6


@dataclass(frozen=True)
class Asked:
    """A question about a volume (1, D, H, W), 0..1, with its prompt's token ids."""

    volume: Volume
    question: str
    ids: Sequence[int]


@dataclass(frozen=True)
class Answered:
    """New token ids, how much each slice counted for the question, and whether the prompt was longer than is read."""

    ids: tuple[int, ...]
    slices: SliceWeights
    cut: bool


class Runner:
    """A loaded model. questions: the tokenizer of questions as the slices are scored by them."""

    def __init__(self, model: Med2E3, questions: ReportTokens, placement: Placement) -> None:
        self.model = model
        self.grid: Grid = model.config.volume.image_size
        self.seen: Kept[Seen] = Kept(self._see, KEPT)
        self.halving = Halving()
        self._questions = questions
        self._placement = placement

    @staticmethod
    def load(
        checkpoint: Checkpoint,
        config: Med2E3Config,
        questions: ReportTokens,
        placement: Placement,
        forgetful: int | None,
    ) -> Runner:
        """forgetful: seed of the random scoring projection that the reference's loader leaves, None for the stored one.
        Raises UserError where the checkpoint's tensors are not this network's."""
        spare = () if forgetful is None else (PROJECTION,)
        build = partial(Med2E3, config)
        model = load(build, checkpoint, placement=placement, rename=rename, unused=UNUSED, missing_ok=spare)
        if forgetful is not None:
            model.vision3d_connector.forget(forgetful)
        return Runner(model, questions, placement)

    def answer(self, asked: Sequence[Asked], max_new_tokens: int, end: int) -> list[Answered]:
        """Greedy answers. None depends on its batch, so a batch that does not fit the memory is halved."""
        return self.halving.run(partial(self._answer, max_new_tokens=max_new_tokens, end=end), list(asked))

    @torch.inference_mode()
    def weights(self, seen: Seen, question: str) -> Tensor:
        """How much each slice counts for a question: (slices,), float32."""
        ids, mask, _ = self._questions.ids([question])
        place = self._placement.device
        return self.model.weigh(seen, self.model.project(ids.to(place), mask.to(place)))

    @torch.inference_mode()
    def vectors(self, images: Tensor) -> Tensor:
        """What the language model sees of images (1, 1, D, H, W) where every slice counts the same."""
        seen = self.model.see(images)
        return self.model.fuse(seen, torch.full_like(seen.means[:, 0], 1 / len(seen.means)))

    @torch.inference_mode()
    def _answer(self, asked: Sequence[Asked], *, max_new_tokens: int, end: int) -> list[Answered]:
        rows, told = [], []
        for one in asked:
            seen = self.seen.of(one.volume)
            weights = self.weights(seen, one.question)
            ids = torch.tensor(one.ids, device=self._placement.device)
            rows.append(self.model.embed(self.model.fuse(seen, weights), ids))
            depth = foreground(one.volume[0])[0].indices(one.volume.shape[1])
            counted = tuple(round(weight, DIGITS) for weight in weights.tolist())
            told.append((SliceWeights(counted, depth[0], depth[1]), len(ids) - 1 + self.model.config.image_tokens))
        return [
            Answered(ids, slices, size > self.model.config.max_length)
            for ids, (slices, size) in zip(self.model.generate(rows, max_new_tokens, end), told, strict=True)
        ]

    @torch.inference_mode()
    def _see(self, volume: Volume) -> Seen:
        """Cropped to what is above 0, as the model's own preparation does, and on its grid."""
        inside = volume[(slice(None), *foreground(volume[0]))]
        return self.model.see(to_model(inside, self.grid).to(self._placement.device, self._placement.torch_dtype))
