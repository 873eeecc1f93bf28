"""The published checkpoint of Med-2E3: where it is, how it is laid out, and sizes that its settings only point to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from m3dbench.adapters.checkpoints.checkpoint import read_json
from m3dbench.adapters.checkpoints.files import Layout
from m3dbench.adapters.checkpoints.source import WeightSource

PARTS = ("llm", "vision2d_model", "vision2d_connector", "vision3d_model", "vision3d_connector")
PUBLISHED = WeightSource(
    hub_id="shiym2000/Med-2E3-M3D",
    revision="main",
    size_gb=9,
    licence="not confirmed (code: Apache-2.0; made from M3D-CLIP, SigLIP and Phi-3)",
    memory="about 12 GB in bf16, 21 GB in fp32",
    alternative="m3d-lamed-tiny",
    layout=Layout("args/config.json", PARTS),
)
LANGUAGE_TOKENIZER = "microsoft/Phi-3-mini-128k-instruct"
QUESTION_TOKENIZER = "GoodBaiBai88/M3D-CLIP"
QUESTION_FOLDER = "m3d_clip_tokenizer"
"""Where in a checkpoint's folder the question's tokenizer may lie; the published one holds none."""
BASES: Mapping[str, Mapping[str, Any]] = {
    "google/siglip-large-patch16-256": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 256,
        "patch_size": 16,
    },
    "GoodBaiBai88/M3D-CLIP": {
        "in_channels": 1,
        "img_size": [32, 256, 256],
        "patch_size": [4, 16, 16],
        "hidden_size": 768,
        "mlp_dim": 3072,
        "num_layers": 12,
        "num_heads": 12,
    },
}
"""Sizes of the models that it was made from, by the name that its settings give (``_name_or_path``)."""


def complete(fields: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The fields of args/config.json, those of each tower and of the language model completed: from the base that they
    name, then from ``config.json`` beside the part's weights, which knows best."""
    whole = dict(fields)
    for part in ("llm", "vision2d_model", "vision3d_model"):
        inside = dict(fields.get(f"{part}_config") or {})
        beside = folder / part / "config.json"
        own = read_json(beside) if beside.is_file() else {}
        named = own.get("_name_or_path") or inside.get("_name_or_path") or ""
        whole[f"{part}_config"] = {**BASES.get(named, {}), **inside, **own}
    return whole
