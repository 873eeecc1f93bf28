"""What the settings of a Med-2E3 checkpoint say of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transformers import BertConfig, Phi3Config, SiglipVisionConfig

from m3dbench.adapters.m3d_clip.model import vision_config
from m3dbench.adapters.nets.vit3d import ViT3DConfig

NEEDED = {
    "llm_type": "phi3",
    "vision2d_model_type": "siglip",
    "vision3d_model_type": "m3d",
    "vision2d_connector_type": "mlp2x_gelu",
    "vision3d_connector_type": "spatial_pooling_score15_mlp2x_gelu",
}
"""The parts of the published model; the same code has others under other names."""
SUPPORTED = {
    "vision2d_model_select_layer": -1,
    "vision2d_model_select_feature": "cls_patch",
    "vision3d_model_select_layer": -1,
    "vision3d_model_select_feature": "patch",
    "conv_version": "phi",
}
"""Further fields that our implementation supports with one value only."""
POOLING = 2
MAX_LENGTH = 768


@dataclass(frozen=True)
class Med2E3Config:
    """The parts' sizes. max_length: vectors that the language model is given at most."""

    language: Phi3Config
    slices: SiglipVisionConfig
    volume: ViT3DConfig
    question: BertConfig
    max_length: int

    @staticmethod
    def of(fields: Mapping[str, Any]) -> Med2E3Config:
        """From settings made whole (see ``published.complete``). Raises KeyError for a field that is not there, and
        ValueError naming the field when they describe a model that this class is not."""
        for name, value in {**NEEDED, **SUPPORTED}.items():
            found = fields[name] if name in NEEDED else fields.get(name, value)
            if found != value:
                raise ValueError(f"{name} is {found!r}, only {value!r} is supported")
        volume = vision_config(fields["vision3d_model_config"])
        slices = _slices(fields["vision2d_model_config"])
        depth, height, width = volume.image_size
        if (height, width) != (slices.image_size, slices.image_size):
            raise ValueError(f"slices of {height}x{width} voxels, and vision2d_model takes {slices.image_size} squared")
        if any(size % POOLING for size in volume.grid) or depth % (volume.grid[0] // POOLING):
            raise ValueError(f"img_size {volume.image_size} with patch_size {volume.patch_size} cannot be pooled")
        config = Med2E3Config(
            language=_language(fields["llm_config"]),
            slices=slices,
            volume=volume,
            question=BertConfig(**fields["vision3d_model_config"].get("text_config", {})),
            max_length=int(fields.get("llm_max_length", MAX_LENGTH)),
        )
        if config.max_length <= config.image_tokens:
            raise ValueError(f"llm_max_length is {config.max_length}, and a volume takes {config.image_tokens} of them")
        return config

    @property
    def slice_tokens(self) -> int:
        """Vectors that a slice becomes."""
        size, patch = self.slices.image_size, self.slices.patch_size
        return (int(size) // int(patch)) ** 2  # type: ignore[arg-type]  # written as either of two types

    @property
    def slabs(self) -> int:
        """Layers of the pooled 3D grid along D; each goes with the same number of slices."""
        return self.volume.grid[0] // POOLING

    @property
    def image_tokens(self) -> int:
        """Vectors that a volume becomes: of the 3D tower, then of the fused slices."""
        depth, height, width = (size // POOLING for size in self.volume.grid)
        return depth * height * width + self.slice_tokens


def _slices(fields: Mapping[str, Any]) -> SiglipVisionConfig:
    inside = {"hidden_size": None, **(fields.get("vision_config") or fields)}
    if inside["hidden_size"] is None:
        raise ValueError("vision2d_model_config states no sizes, and vision2d_model/config.json is not there")
    return SiglipVisionConfig(**_plain(inside) | {"vision_use_head": False})


def _language(fields: Mapping[str, Any]) -> Phi3Config:
    """Phi-3 with its long-context rotary embedding, whose factors nothing in the weights gives away when missing."""
    if "hidden_size" not in fields:
        raise ValueError("llm_config states no sizes, and llm/config.json is not there")
    scaling = fields.get("rope_scaling")
    if scaling and scaling.get("type") == "su":
        scaling = {**scaling, "type": "longrope"}
    if scaling and "rope_type" in scaling and scaling["rope_type"] == "su":
        scaling = {**scaling, "rope_type": "longrope"}
    config = Phi3Config(**_plain(fields) | ({"rope_scaling": scaling} if scaling else {}))
    found = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    longer = config.max_position_embeddings > config.original_max_position_embeddings
    if longer and "longrope" not in (found.get("rope_type"), found.get("type")):
        raise ValueError("rope_scaling of llm_config is missing: without its factors the model answers wrongly")
    return config


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what names the class and its files, which transformers would go by."""
    ours = ("model_type", "architectures", "auto_map", "transformers_version")
    return {name: value for name, value in fields.items() if name not in ours and not name.startswith("_")}
