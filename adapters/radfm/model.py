"""RadFM (arXiv 2308.02463): scans become 32 vectors each, which LLaMA reads where a prompt's placeholders stand.

Parameter names are those of the published checkpoint. Prompts of a batch are left-padded and masked, so that an answer
does not depend on what else is in its batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaForCausalLM

from m3dbench.adapters.nets.decoding import greedy, left_padded, states, until
from m3dbench.adapters.radfm.config import RadFMConfig
from m3dbench.adapters.radfm.perceiver import Perceiver
from m3dbench.adapters.radfm.vision import VisionEncoder

UNUSED = (
    r"embedding_layer\.(bert_model|bert_projection_fc|transformer_decoder|transformer_decoder_mlp|cls_head)\..*",
    r"embedding_layer\.output_upscaling\..*",
)
"""Parts of training that inference never reaches. Rotary constants are among those that any checkpoint may hold."""
ENDS = (2, 1)
"""Answers were trained to end with 2; the published settings say 1, so that the reference runs on after 2."""
SAME = ("embedding_layer.weight", "lang_model.model.embed_tokens.weight")
"""Two names of one parameter."""


class EmbeddingLayer(nn.Module):
    """Token ids to embeddings, V words of the language model, ``<image>``, ``</image>``, then the scans' vectors."""

    def __init__(self, config: RadFMConfig, words: nn.Parameter) -> None:
        super().__init__()
        self.weight = words
        hidden = config.language.hidden_size
        self.figure_token_weight = nn.Parameter(torch.zeros(2, hidden))
        self.vision_encoder = VisionEncoder(config.vision)
        self.perceiver = Perceiver(config.vision)
        self.fc = nn.Linear(config.vision.dim, hidden)

    def visual(self, scans: Tensor) -> Tensor:
        """Scans (S, 3, H, W, D), 0..1 -> (S, 32, hidden)."""
        projected: Tensor = self.fc(self.perceiver(self.vision_encoder(scans)))
        return projected

    def forward(self, ids: Tensor, visual: Tensor) -> Tensor:
        """A prompt (L,) and its scans' vectors (S, 32, hidden) -> (L, hidden).

        Ids V and V + 1 are the brackets, V + 2 + 32 s + k is vector k of scan s, wherever they stand. Raises ValueError
        for an id past the last scan's.
        """
        words = len(self.weight)
        others = torch.cat([self.figure_token_weight, visual.flatten(0, 1)])
        if (highest := int(ids.max())) >= words + len(others):
            raise ValueError(f"the prompt has the id {highest}, and {len(visual)} scans end at {words + len(others)}")
        text = functional.embedding(ids.clamp(max=words - 1), self.weight)
        return torch.where((ids >= words)[:, None], others[(ids - words).clamp(min=0)], text)


class RadFM(nn.Module):
    def __init__(self, config: RadFMConfig) -> None:
        super().__init__()
        self.config = config
        self.lang_model = LlamaForCausalLM(config.language)
        self.embedding_layer = EmbeddingLayer(config, self.lang_model.model.embed_tokens.weight)

    def forward(self, visual: Sequence[Tensor], prompts: Sequence[Tensor]) -> Tensor:
        """Logits (B, L, V) of prompts (L_i,), each with its scans' vectors (S_i, 32, hidden), padded on the left."""
        logits: Tensor = self.lang_model.lm_head(states(self.lang_model, *self._batch(visual, prompts)))
        return logits

    @torch.inference_mode()
    def generate(
        self,
        visual: Sequence[Tensor],
        prompts: Sequence[Tensor],
        max_new_tokens: int,
        ends: Sequence[int] = ENDS,
    ) -> list[tuple[int, ...]]:
        """Greedy answers to a batch of prompts: new ids, up to and without the first of ``ends``."""
        batch = self._batch(visual, prompts)
        ids = greedy(self.lang_model, *batch, max_new_tokens=max_new_tokens, ends=ends)
        return [until(row, ends) for row in ids]

    def _batch(self, visual: Sequence[Tensor], prompts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        return left_padded([self.embedding_layer(ids, seen) for seen, ids in zip(visual, prompts, strict=True)])
