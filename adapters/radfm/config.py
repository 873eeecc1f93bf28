"""What RadFM's config.json says of its language model, and the sizes of its vision part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transformers import LlamaConfig

NOT_LLAMAS = ("vision", "architectures", "model_type", "bos_token_id", "eos_token_id", "pad_token_id", "torch_dtype")
"""Fields that are left out: special ids are wrong in the published file, and stated in ``model``."""


@dataclass(frozen=True)
class VisionConfig:
    """Sizes that are constants of the published model; a ``vision`` block in config.json replaces them.

    image_size, frames: the largest image, along rows and columns and along slices. patch_size, frame_patch_size: of a
    patch, the same way. position_rows, position_cols, position_depths: entries learned along each axis.
    """

    image_size: int = 512
    frames: int = 512
    patch_size: int = 32
    frame_patch_size: int = 4
    channels: int = 3
    dim: int = 768
    depth: int = 12
    heads: int = 8
    dim_head: int = 64
    mlp_dim: int = 2048
    layer_norm_eps: float = 1e-5
    position_rows: int = 16
    position_cols: int = 16
    position_depths: int = 128
    position_dim: int = 256
    perceiver_latents: int = 32
    perceiver_depth: int = 6
    perceiver_heads: int = 8
    perceiver_dim_head: int = 64
    perceiver_ff_mult: int = 4


@dataclass(frozen=True)
class RadFMConfig:
    """The parts' sizes."""

    language: LlamaConfig
    vision: VisionConfig

    @staticmethod
    def of(fields: Mapping[str, Any]) -> RadFMConfig:
        """From config.json, that of the language model. Raises ValueError naming the field of another kind of model."""
        if fields.get("model_type") != "llama":
            raise ValueError(f"model_type is {fields.get('model_type')!r}, expected 'llama'")
        vision = VisionConfig(**fields.get("vision", {}))
        if vision.dim != 3 * vision.position_dim:
            raise ValueError(f"vision.dim is {vision.dim}, expected 3 * position_dim, {3 * vision.position_dim}")
        llamas = {name: value for name, value in fields.items() if name not in NOT_LLAMAS}
        llamas.setdefault("max_position_embeddings", llamas.pop("max_sequence_length", 2048))
        return RadFMConfig(LlamaConfig(**llamas), vision)
