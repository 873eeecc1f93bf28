"""M3D-CLIP (arXiv 2404.00578, section 4.1): a 3D vision transformer and BERT, aligned by contrastive learning.

Parameter names are those of the published checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel

from m3dbench.adapters.nets.vit3d import ViT3D, ViT3DConfig

UNUSED = (r"language_encoder\.pooler\..*", r"language_encoder\.embeddings\.position_ids")
"""Tensors of a checkpoint that retrieval does not use."""


def vision_config(fields: Mapping[str, Any]) -> ViT3DConfig:
    """The tower's sizes from the checkpoint's config.json."""
    return ViT3DConfig(
        image_size=tuple(fields["img_size"]),
        patch_size=tuple(fields["patch_size"]),
        channels=fields["in_channels"],
        width=fields["hidden_size"],
        mlp=fields["mlp_dim"],
        depth=fields["num_layers"],
        heads=fields["num_heads"],
    )


class M3DClip(nn.Module):
    """Two towers with unit vectors in one space; similarity is the dot product."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        """fields: the checkpoint's config.json; ``text_config`` (BERT's sizes) may be absent: BERT-base uncased."""
        super().__init__()
        self.vision = vision_config(fields)
        text = BertConfig(**fields.get("text_config", {}))
        self.vision_encoder = ViT3D(self.vision)
        self.language_encoder = BertModel(text, add_pooling_layer=False)
        self.mm_vision_proj = nn.Linear(self.vision.width, self.vision.width)
        self.mm_language_proj = nn.Linear(text.hidden_size, self.vision.width)
        self.logit_scale = nn.Parameter(torch.tensor(log(1 / 0.07)))

    def encode_image(self, images: Tensor) -> Tensor:
        """Images (B, 1, D, H, W), 0..1 -> unit vectors (B, width)."""
        first = self.vision_encoder(images)[:, 0]
        return functional.normalize(self.mm_vision_proj(first), dim=-1)

    def encode_text(self, ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids (B, L) with their mask -> unit vectors (B, width)."""
        first = self.language_encoder(input_ids=ids, attention_mask=attention_mask).last_hidden_state[:, 0]
        return functional.normalize(self.mm_language_proj(first), dim=-1)
