"""M3D-LaMed (arXiv 2404.00578, section 4.2): vision tower, spatial pooling projector, language model, mask decoder.

Sequences of a batch are left-padded and masked, so that an answer does not depend on what else is in its batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, Phi3ForCausalLM

from m3dbench.adapters.m3d_lamed.config import LaMedConfig
from m3dbench.adapters.nets.decoding import greedy, left_padded, states, until
from m3dbench.adapters.nets.grids import pooled
from m3dbench.adapters.nets.segvol import UNUSED as SEGVOL_UNUSED
from m3dbench.adapters.nets.segvol import SegVol
from m3dbench.adapters.nets.vit3d import ViT3D

PREFIXES = {
    "model.vision_tower.vision_tower.": "vision_tower.",
    "model.mm_projector.projector.": "projector.",
    "model.seg_module.": "segmentation.",
    "model.seg_projector.": "seg_projector.",
    "model.": "language.model.",
    "lm_head.": "language.lm_head.",
}
"""Prefixes of a published checkpoint's tensor names, and ours; the first that fits counts."""
UNUSED = tuple(r"segmentation\." + pattern for pattern in SEGVOL_UNUSED)


@dataclass(frozen=True)
class Generated:
    """New token ids of one answer, up to and without the end token, and for ``[SEG]`` the mask's text vector.

    seg: (width,), None where the answer has no ``[SEG]`` after its first token.
    """

    ids: tuple[int, ...]
    seg: Tensor | None


class LaMed(nn.Module):
    def __init__(self, config: LaMedConfig) -> None:
        super().__init__()
        self.config = config
        hidden, width = config.language.hidden_size, config.vision.width
        causal: Any = LlamaForCausalLM if isinstance(config.language, LlamaConfig) else Phi3ForCausalLM
        self.language = causal(config.language)
        self.vision_tower = ViT3D(config.vision)
        layers: list[nn.Module] = [nn.Linear(width, hidden)]
        for _ in range(config.projector_layers - 1):
            layers += [nn.GELU(), nn.Linear(hidden, hidden)]
        self.projector = nn.Sequential(*layers)
        self.seg_projector = nn.Sequential(
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, config.segmentation.encoder.width), nn.Dropout(0.1)
        )
        self.segmentation = SegVol(config.segmentation)

    def image_features(self, images: Tensor) -> Tensor:
        """Images (B, 1, D, H, W), 0..1 -> (B, image_tokens, hidden)."""
        patches = self.vision_tower(images)[:, 1:]
        projected: Tensor = self.projector(pooled(patches, self.config.vision.grid, self.config.pooling))
        return projected

    def embed(self, features: Tensor, ids: Tensor) -> Tensor:
        """A volume's vectors at positions 1..image_tokens of its prompt: (image_tokens, hidden), (L,) -> (L, hidden).

        By position, as the model was trained: whatever tokens stand there are replaced.
        """
        words = self.language.get_input_embeddings()(ids)
        return torch.cat([words[:1], features, words[1 + len(features) :]])

    def batch(self, features: Sequence[Tensor], prompts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Left-padded embeddings (B, L, hidden) and attention mask (B, L) of prompts (L_i,), each with its volume's."""
        return left_padded([self.embed(image, ids) for image, ids in zip(features, prompts, strict=True)])

    def forward(self, features: Sequence[Tensor], prompts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits (B, L, vocabulary) and final-normed states (B, L, hidden) of a left-padded batch."""
        found = states(self.language, *self.batch(features, prompts))
        return self.language.lm_head(found), found

    @torch.inference_mode()
    def generate(self, features: Sequence[Tensor], prompts: Sequence[Tensor], max_new_tokens: int) -> list[Generated]:
        """Greedy answers to a batch of prompts, each with its volume's vectors (image_tokens, hidden)."""
        embedded, mask = self.batch(features, prompts)
        with self._last_states() as last:
            ids = greedy(self.language, embedded, mask, max_new_tokens=max_new_tokens, ends=self._end_tokens())
        return [self._generated(row, torch.stack([state[index] for state in last])) for index, row in enumerate(ids)]

    def mask_logits(self, cells: Tensor, seg: Tensor) -> Tensor:
        """Image cells (B, N, width) and text vectors (B, width) -> (B, 1, D, H, W); mask = logits > 0."""
        return self.segmentation.decode(cells, seg)

    def _generated(self, ids: list[int], last: Tensor) -> Generated:
        said = until(ids, self._end_tokens())
        # the state that predicted [SEG] speaks for it; the published model never looks at the first token
        steps = [step for step in range(1, len(said)) if said[step] == self.config.seg_token]
        seg = self.seg_projector(last[steps].mean(0)) if steps else None
        return Generated(said, seg)

    def _end_tokens(self) -> list[int]:
        end: Any = self.config.language.eos_token_id
        return list(end) if isinstance(end, list | tuple) else [int(end)]

    @contextmanager
    def _last_states(self) -> Iterator[list[Tensor]]:
        """The final-normed state of the last position at every step of a generation, (B, hidden) each."""
        kept: list[Tensor] = []

        def keep(module: nn.Module, given: tuple[Tensor, ...], normed: Tensor) -> None:
            kept.append(normed[:, -1])

        hook = self.language.model.norm.register_forward_hook(keep)
        try:
            yield kept
        finally:
            hook.remove()


def rename(name: str) -> str:
    """Our name of a published checkpoint's tensor."""
    for theirs, ours in PREFIXES.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name
