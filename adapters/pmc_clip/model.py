"""PMC-CLIP as retrieval needs it: image tower, BERT, projection. The fusion transformer plays no part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from m3dbench.adapters.pmc_clip.resnet import ModifiedResNet

UNUSED = (
    r"fusion_module\..*",
    r"img_special_token",
    r"mlm_projection",
    r"positional_embedding",
    r"ln_final\..*",
    r"text_encoder\.pooler\..*",
    r"softmax\..*",
)
"""Tensors of a checkpoint that retrieval does not use."""
CLS_PLACE = 0
HEAD_WIDTH = 64


@dataclass(frozen=True)
class PmcClipConfig:
    """Sizes of the network; the values are those of the published checkpoint. text: BERT's, its own where absent."""

    width: int = 768
    layers: tuple[int, ...] = (3, 4, 6, 3)
    planes: int = 64
    size: int = 224
    context: int = 77
    text: Mapping[str, Any] | None = None

    @staticmethod
    def of(fields: Mapping[str, Any]) -> PmcClipConfig:
        """From the published layout of settings. Raises KeyError, TypeError or ValueError for another."""
        vision, text = fields["vision_cfg"], fields["text_cfg"]
        if vision.get("backbone", "ModifiedRN50") != "ModifiedRN50":
            raise ValueError(f"its image tower is {vision['backbone']!r}, and this one is ModifiedRN50")
        return PmcClipConfig(
            width=fields["embed_dim"],
            layers=tuple(vision["layers"]),
            planes=vision["width"],
            size=vision["image_size"],
            context=text["context_length"],
            text=fields.get("text_config"),
        )

    @property
    def heads(self) -> int:
        """Of the attention pool. Another number loads without complaint and computes something else."""
        return self.planes * 32 // HEAD_WIDTH


class PmcClip(nn.Module):
    """Two towers with vectors in one space, compared by the cosine: ``visual`` of normalised pictures, and of texts."""

    def __init__(self, config: PmcClipConfig) -> None:
        super().__init__()
        self.config = config
        self.visual = ModifiedResNet(config.layers, config.planes, config.heads, config.width, config.size)
        self.text_encoder = BertModel(BertConfig(**(config.text or {})), add_pooling_layer=False)
        self.text_projection = nn.Parameter(torch.empty(self.text_encoder.config.hidden_size, config.width))
        self.logit_scale = nn.Parameter(torch.zeros(()))

    def text_features(self, ids: Tensor) -> Tensor:
        """Token ids (B, context), padded to all of it -> (B, width): the first token, projected.

        Padding is attended to like words, as in training.
        """
        everything = torch.ones_like(ids)
        states = self.text_encoder(input_ids=ids, attention_mask=everything).last_hidden_state
        return torch.as_tensor(states[:, CLS_PLACE] @ self.text_projection)
