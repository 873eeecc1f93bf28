"""What M3D-LaMed's config.json says of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transformers import LlamaConfig, Phi3Config

from m3dbench.adapters.nets.segvol import SegVolConfig
from m3dbench.adapters.nets.vit3d import ViT3DConfig

LANGUAGE_MODELS = {"lamed_llama": LlamaConfig, "lamed_phi3": Phi3Config}
REQUIRED = {
    "image_channel": 1,
    "vision_select_layer": -1,
    "vision_select_feature": "patch",
    "mm_projector_type": "spp",
    "proj_pooling_type": "spatial",
    "segmentation_module": "segvol",
}
"""Fields that our implementation supports with one value only."""
SIZES = {"depth": 12, "heads": 12, "mlp": 3072, "decoder_heads": 8, "decoder_mlp": 2048, "seg_depth": 12}
"""Sizes that the published config.json does not state; ours of toy size state them under ``sizes``."""


@dataclass(frozen=True)
class LaMedConfig:
    """The parts' sizes. image_tokens: vectors that a volume becomes. projector_layers: 1 is ``linear``."""

    language: LlamaConfig | Phi3Config
    vision: ViT3DConfig
    segmentation: SegVolConfig
    projector_layers: int
    pooling: int
    seg_token: int

    @staticmethod
    def of(fields: Mapping[str, Any]) -> LaMedConfig:
        """From config.json. Raises ValueError naming the field when it describes a model that this class is not."""
        for name, value in REQUIRED.items():
            if fields.get(name, value) != value:
                raise ValueError(f"{name} is {fields[name]!r}, only {value!r} is supported")
        kind = fields.get("model_type")
        if kind not in LANGUAGE_MODELS:
            raise ValueError(f"model_type is {kind!r}, expected one of {', '.join(LANGUAGE_MODELS)}")
        layer_type, layers = fields.get("proj_layer_type", "mlp"), int(fields.get("proj_layer_num", 2))
        if layer_type not in ("linear", "mlp") or (layer_type == "linear" and layers != 1):
            raise ValueError(f"proj_layer_type {layer_type!r} with proj_layer_num {layers} is not supported")
        sizes = {**SIZES, **fields.get("sizes", {})}
        vision = ViT3DConfig(
            image_size=tuple(fields["image_size"]),
            patch_size=tuple(fields["patch_size"]),
            width=int(fields.get("mm_hidden_size", 768)),
            mlp=sizes["mlp"],
            depth=sizes["depth"],
            heads=sizes["heads"],
        )
        encoder = ViT3DConfig(
            vision.image_size, vision.patch_size, 1, vision.width, vision.mlp, sizes["seg_depth"], vision.heads
        )
        ours = {*REQUIRED, "model_type", "architectures", "auto_map", "sizes"}
        language = LANGUAGE_MODELS[kind](**{name: value for name, value in fields.items() if name not in ours})
        return LaMedConfig(
            language=language,
            vision=vision,
            segmentation=SegVolConfig(encoder, sizes["decoder_heads"], sizes["decoder_mlp"]),
            projector_layers=layers,
            pooling=int(fields.get("proj_pooling_size", 2)),
            seg_token=int(fields["seg_token_id"]),
        )

    @property
    def image_tokens(self) -> int:
        depth, height, width = (size // self.pooling for size in self.vision.grid)
        return depth * height * width
