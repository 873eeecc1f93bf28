"""What SegVol's config.json says of its parts. The published one says little; the rest is of published size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transformers import CLIPTextConfig

from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.placed import configured
from m3dbench.adapters.nets.segvol import SegVolConfig
from m3dbench.adapters.nets.vit3d import ViT3DConfig

REQUIRED: dict[str, dict[str, Any]] = {
    "image_encoder": {"in_channels": 1, "qkv_bias": False, "classification": False},
    "mask_decoder": {"transformer_depth": 2, "attention_downsample_rate": 2, "num_multimask_outputs": 3},
}
"""Fields that our implementation supports with one value only."""
TEXT_WIDTH = 512


@dataclass(frozen=True)
class TextSegVolConfig:
    """The sizes of the segmentation network, and of CLIP's text tower."""

    network: SegVolConfig
    text: CLIPTextConfig

    @staticmethod
    def of(fields: Mapping[str, Any]) -> TextSegVolConfig:
        """From config.json. Raises ValueError naming the field when it describes a model that this class is not."""
        if fields.get("model_type", "segvol") != "segvol":
            raise ValueError(f"model_type is {fields['model_type']!r}, expected 'segvol'")
        for part, wanted in REQUIRED.items():
            for name, value in wanted.items():
                found = fields.get(part, {}).get(name, value)
                if found != value:
                    raise ValueError(f"{part}.{name} is {found!r}, only {value!r} is supported")
        image, decoder = fields.get("image_encoder", {}), fields.get("mask_decoder", {})
        usual = ViT3DConfig()
        encoder = ViT3DConfig(
            image_size=tuple(fields.get("spatial_size", usual.image_size)),
            patch_size=tuple(fields.get("patch_size", usual.patch_size)),
            width=int(image.get("hidden_size", usual.width)),
            mlp=int(image.get("mlp_dim", usual.mlp)),
            depth=int(image.get("num_layers", usual.depth)),
            heads=int(image.get("num_heads", usual.heads)),
            class_token=False,
        )
        heads, mlp = decoder.get("transformer_num_heads", 8), decoder.get("transformer_mlp_dim", 2048)
        text = CLIPTextConfig(**{"hidden_size": TEXT_WIDTH, **fields.get("text_config", {})})
        return TextSegVolConfig(SegVolConfig(encoder, int(heads), int(mlp)), text)

    @staticmethod
    def read(checkpoint: Checkpoint) -> TextSegVolConfig:
        """Of a checkpoint; a single file without a config.json beside it is of published size.

        Raises UserError when the configuration is another model's.
        """
        if checkpoint.path.is_file() and not (checkpoint.folder / "config.json").is_file():
            return TextSegVolConfig.of({})
        return configured(checkpoint, TextSegVolConfig.of)
