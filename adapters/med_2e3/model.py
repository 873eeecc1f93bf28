"""Med-2E3 (Shi et al., arXiv 2411.12783): a 3D tower, a 2D tower on every slice, slices weighed by the question, Phi-3.

Parameter names are those of the published checkpoint's parts, each under the name of its folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertModel, Phi3ForCausalLM, SiglipVisionModel

from m3dbench.adapters.med_2e3.config import POOLING, Med2E3Config
from m3dbench.adapters.nets.decoding import greedy, left_padded, states, until
from m3dbench.adapters.nets.grids import pooled
from m3dbench.adapters.nets.vit3d import ViT3D

VOLUME = -201
"""The place of a volume's vectors among a prompt's token ids."""
TEMPERATURE = 5.0
PROJECTION = r"vision3d_connector\.text_mlp\..*"
UNUSED = (
    r"vision2d_model\.(post_layernorm|head)\..*",
    r"vision3d_model\.(logit_scale|vision_encoder\.norm\..*|mm_vision_proj\..*|mm_language_proj\..*)",
)
"""Tensors of a checkpoint that have no effect: both towers are read before their final norm."""


@dataclass(frozen=True)
class Seen:
    """A volume after both towers: tokens (T, hidden) of the 3D one, tokens (N, P, hidden) of its N slices, and of each
    slice the mean (N, hidden), float32, over its own tokens and those of the slab that it lies in."""

    volume: Tensor
    slices: Tensor
    means: Tensor


class Connector(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self._connector = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden))

    def forward(self, tokens: Tensor) -> Tensor:
        projected: Tensor = self._connector(tokens)
        return projected


class ScoringConnector(Connector):
    """With the projection of questions by which slices are scored."""

    def __init__(self, width: int, hidden: int, text: int) -> None:
        super().__init__(width, hidden)
        self.text_mlp = nn.Linear(text, hidden)

    @torch.no_grad()
    def forget(self, seed: int) -> None:
        """What the reference's loader leaves of ``text_mlp``: the random values of a new layer."""
        random = torch.Generator().manual_seed(seed)
        bound = 1 / sqrt(self.text_mlp.in_features)
        for parameter in (self.text_mlp.weight, self.text_mlp.bias):
            parameter.copy_(torch.empty(parameter.shape).uniform_(-bound, bound, generator=random))


class Clip(nn.Module):
    """What is used of M3D-CLIP: its vision tower, and BERT with the pooler."""

    def __init__(self, config: Med2E3Config) -> None:
        super().__init__()
        self.vision_encoder = ViT3D(config.volume)
        self.vision_encoder.norm = nn.Identity()  # type: ignore[assignment]
        self.language_encoder = BertModel(config.question)


class Med2E3(nn.Module):
    def __init__(self, config: Med2E3Config) -> None:
        super().__init__()
        self.config = config
        hidden = config.language.hidden_size
        self.llm = Phi3ForCausalLM(config.language)
        tower: Any = SiglipVisionModel(config.slices)
        self.vision2d_model = getattr(tower, "vision_model", tower)  # transformers 5 has one level less
        self.vision2d_model.post_layernorm = nn.Identity()
        self.vision2d_connector = Connector(config.slices.hidden_size, hidden)
        self.vision3d_model = Clip(config)
        self.vision3d_connector = ScoringConnector(config.volume.width, hidden, config.question.hidden_size)

    def features_3d(self, images: Tensor) -> Tensor:
        """Images (B, 1, D, H, W), 0..1 -> patches (B, N, width) before the final norm, without the class token."""
        return self.vision3d_model.vision_encoder.hidden(images)[:, 1:]

    def features_2d(self, images: Tensor) -> Tensor:
        """One image (1, 1, D, H, W), 0..1 as it is -> patches (D, P, width) of its D slices."""
        slices = images[0, 0][:, None].expand(-1, 3, -1, -1)
        found: Tensor = self.vision2d_model(pixel_values=slices).last_hidden_state
        return found

    def see(self, images: Tensor) -> Seen:
        """One image (1, 1, D, H, W), 0..1, after both towers and connectors."""
        patches = pooled(self.features_3d(images), self.config.volume.grid, POOLING)
        volume = self.vision3d_connector(patches)[0]
        slices = self.vision2d_connector(self.features_2d(images))
        slabs = volume.float().view(self.config.slabs, -1, volume.shape[-1])
        each = len(slices) // len(slabs)
        sums = slabs.sum(1).repeat_interleave(each, 0) + slices.float().sum(1)
        return Seen(volume, slices, sums / (slabs.shape[1] + slices.shape[1]))

    def project(self, ids: Tensor, mask: Tensor) -> Tensor:
        """A question's ids and mask (1, L) -> its vector (hidden,) among the slices' means."""
        told = self.vision3d_model.language_encoder(input_ids=ids, attention_mask=mask).pooler_output
        projected: Tensor = self.vision3d_connector.text_mlp(told)
        return projected[0]

    def weigh(self, seen: Seen, question: Tensor) -> Tensor:
        """How much each slice counts for a question (hidden,): (N,), float32, their sum 1."""
        return (seen.means @ question.float() / TEMPERATURE).softmax(0)

    def fuse(self, seen: Seen, weights: Tensor) -> Tensor:
        """A volume's vectors (image_tokens, hidden): the 3D tower's, then the slices' in one."""
        fused = torch.einsum("n,nph->ph", weights, seen.slices.float())
        return torch.cat([seen.volume, fused.to(seen.volume.dtype)])

    def embed(self, vectors: Tensor, ids: Tensor) -> Tensor:
        """A prompt's ids (L,), its volume's vectors in the place of ``VOLUME``; what is too long loses its end."""
        place = int((ids == VOLUME).nonzero()[0, 0])
        words = self.llm.get_input_embeddings()
        rows = torch.cat([words(ids[:place]), vectors, words(ids[place + 1 :])])
        return rows[: self.config.max_length]

    def forward(self, rows: Sequence[Tensor]) -> Tensor:
        """Logits (B, L, vocabulary) of embedded prompts (L_i, hidden), left-padded."""
        logits: Tensor = self.llm.lm_head(states(self.llm, *left_padded(rows)))
        return logits

    @torch.inference_mode()
    def generate(self, rows: Sequence[Tensor], max_new_tokens: int, end: int) -> list[tuple[int, ...]]:
        """Greedy answers to embedded prompts (L_i, hidden): new token ids without the end token."""
        found = greedy(self.llm, *left_padded(rows), max_new_tokens=max_new_tokens, ends=[end])
        return [until(ids, [end]) for ids in found]


def rename(name: str) -> str:
    """Our name of a checkpoint's tensor ``PART/NAME``."""
    part, _, inside = name.partition("/")
    return f"{part}.{inside.removeprefix('vision_model.') if part == 'vision2d_model' else inside}"
