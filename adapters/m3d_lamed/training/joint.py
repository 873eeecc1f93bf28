"""Stage 5: the language model's ``[SEG]`` vectors and the mask decoder learn to fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .examples import example_of
from .language import LanguageStage
from .loop import Stage
from .masks import mask_losses
from .optimiser import optimisers
from .tower import images_of


class JointStage(Stage):
    """Stage 5: segmentation requests only decide on masks, all others keep what stage 3 has learned."""

    name = "joint"
    shares: ClassVar[Mapping[str, float]] = {"dice": 1.0, "bce": 3.0, "seg": 0.2}

    def __init__(self, language: LanguageStage, volumes: int = 6, questions: int = 2, lr: float = 3e-4) -> None:
        self._language, self._volumes, self._questions, self._lr = language, volumes, questions, lr
        model = language.model
        self._segmentation = model.segmentation
        self.module = nn.ModuleDict(
            {
                "language": language.module,
                "decoder": self._segmentation.mask_decoder,
                "no_mask": self._segmentation.prompt_encoder.no_mask_embed,
            }
        )

    def optimisers(self) -> list[torch.optim.Optimizer]:
        return optimisers(self.module, self._lr, ("language.language.lm_head",))

    def losses(self, draws: np.random.Generator) -> dict[str, Tensor]:
        language = self._language
        language.progress = 1.0
        volumes = []
        for _ in range(self._volumes):
            number = language.number("refseg" if draws.random() < 0.4 else "seg", draws)
            examples = [example_of(language.pool[number], draws, kind="segment") for _ in range(self._questions)]
            rows = [language.encode(example) for example in examples if example.rows]
            if rows:
                volumes.append((number, rows))
        if not volumes:
            return _apart(language.losses(draws))
        rows = [row for _, several in volumes for row in several]
        vectors = language.seg_vectors(language.pack(volumes), rows)
        assert vectors is not None  # noqa: S101 - every example has rows
        with torch.no_grad():
            cells = self._segmentation.encode(images_of([language.pool[number] for number, _ in volumes]))
        place = torch.tensor([index for index, (_, several) in enumerate(volumes) for _ in several])
        masks = torch.from_numpy(np.stack([row.example.mask for row in rows if row.example.mask is not None])).float()[
            :, None
        ]
        logits = self._segmentation.decode(cells[place], vectors)
        dice, bce = mask_losses(logits, masks)
        wanted = language.table([row.example.rows for row in rows]).detach()
        near = functional.mse_loss(vectors, wanted) / wanted.square().mean()
        return {"dice": dice, "bce": bce, "seg": near, **_apart(language.losses(draws))}


def _apart(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"text {name}": value for name, value in losses.items()}
