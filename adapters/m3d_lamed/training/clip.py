"""Stage 4: M3D-CLIP's towers learn which report belongs to which volume."""

from __future__ import annotations

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from m3dbench.adapters.m3d_clip.model import M3DClip
from m3dbench.data.phantom.report import report_of
from m3dbench.data.prepare.texts import prepared_text

from .bank import FeatureBank
from .cases import PREPARATIONS, TrainingCase
from .examples import reworded
from .loop import Stage
from .optimiser import optimisers
from .pool import Pool
from .sizes import TEXT_LENGTH
from .tower import images_of

_LIVE_FROM = 0.7
"""Share of the training after which the image tower learns too, on a few volumes a batch."""


class ClipStage(Stage):
    """Stage 4. The image tower starts as M3D-LaMed's; at first its class tokens are computed once a volume."""

    name = "clip"

    def __init__(
        self, model: M3DClip, tokenizer: Tokenizer, bank: FeatureBank, pool: Pool, count: int, batch: int = 64,
        live: int = 6, lr: float = 1e-3,
    ) -> None:  # fmt: skip
        self.module: nn.Module = model
        self._model, self._tokenizer, self._bank, self._pool = model, tokenizer, bank, pool
        tokenizer.enable_padding(pad_id=0)
        tokenizer.enable_truncation(TEXT_LENGTH)
        self._numbers = [number for number in range(count) if PREPARATIONS[number % len(PREPARATIONS)] == "cap"]
        self._batch, self._live, self._lr = batch, live, lr

    def optimisers(self) -> list[torch.optim.Optimizer]:
        names = {name for name, _ in self._model.named_parameters() if name.startswith("vision_encoder.")}
        tower = [value for name, value in self._model.named_parameters() if name in names]
        rest = nn.ModuleDict(
            {
                "text": self._model.language_encoder,
                "vision_proj": self._model.mm_vision_proj,
                "language_proj": self._model.mm_language_proj,
            }
        )
        scale = torch.optim.AdamW([self._model.logit_scale], self._lr, weight_decay=0.0)
        return [*optimisers(rest, self._lr), scale, torch.optim.AdamW(tower, self._lr * 0.3, weight_decay=0.01)]

    def losses(self, draws: np.random.Generator) -> dict[str, Tensor]:
        seen = int(len(self._numbers) * min(1.0, 0.1 + 2.5 * self.progress))
        numbers = [self._numbers[index] for index in draws.choice(seen, min(self._batch, seen), replace=False).tolist()]
        first = self._bank.first(numbers)
        if self.progress > _LIVE_FROM:
            live = self._model.vision_encoder(images_of([self._pool[number] for number in numbers[: self._live]]))[:, 0]
            first = torch.cat([live, first[self._live :]])
        images = functional.normalize(self._model.mm_vision_proj(first), dim=-1)
        texts = self.texts([report(self._pool[number], draws) for number in numbers])
        scores = images @ texts.T * self._model.logit_scale.exp().clamp(max=50)
        right = torch.arange(len(numbers))
        return {
            "image to text": functional.cross_entropy(scores, right),
            "text to image": functional.cross_entropy(scores.T, right),
        }

    def texts(self, texts: list[str]) -> Tensor:
        """Unit vectors (B, width) of reports."""
        encoded = self._tokenizer.encode_batch(texts)
        ids = torch.tensor([one.ids for one in encoded])
        return self._model.encode_text(ids, torch.tensor([one.attention_mask for one in encoded]))


def report(case: TrainingCase, draws: np.random.Generator) -> str:
    """A report of the case, worded anew."""
    return prepared_text(report_of(reworded(case.facts, draws)))
