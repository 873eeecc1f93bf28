"""SegVol with its text tower (arXiv 2311.13385): CLIP's text transformer, aligned with the segmentation network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from m3dbench.adapters.nets.segvol import SegVol
from m3dbench.adapters.segvol.config import TextSegVolConfig

PREFIX = "model."
"""What the hub's file puts before every name. The .pth file's ``module.`` is taken off wherever weights are read."""
_TOWER = "text_encoder.clip_text_model."


class TextEncoder(nn.Module):
    """Token ids to the vector that prompts the mask decoder."""

    def __init__(self, config: CLIPTextConfig, width: int) -> None:
        super().__init__()
        tower: Any = CLIPTextModel(config)
        # transformers before 5 have the same modules one level down
        self.clip_text_model: nn.Module = getattr(tower, "text_model", tower)
        self.dim_align = nn.Linear(config.hidden_size, width)

    def forward(self, ids: Tensor, mask: Tensor, end: int) -> Tensor:
        """ids and mask (N, L) -> (N, width): the state of each row's first ``end`` token, projected.

        Looked for here, because libraries differ in which token they take.
        """
        states = self.clip_text_model(input_ids=ids, attention_mask=mask).last_hidden_state
        ends = (ids == end).int().argmax(dim=-1)
        aligned: Tensor = self.dim_align(states[torch.arange(len(ids), device=ids.device), ends])
        return aligned


class TextSegVol(SegVol):
    """``encode`` a view once, ``decode`` it for every text vector of ``text_encoder``."""

    def __init__(self, config: TextSegVolConfig) -> None:
        super().__init__(config.network)
        self.text_encoder = TextEncoder(config.text, config.network.encoder.width)


def rename(name: str) -> str:
    """Our name of a published checkpoint's tensor."""
    name = name.removeprefix(PREFIX)
    if name.startswith(_TOWER):
        return _TOWER + name.removeprefix(_TOWER).removeprefix("text_model.")
    return name
