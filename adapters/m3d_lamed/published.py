"""The published checkpoints of M3D-LaMed: where they are, what they need, what is known to be wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from m3dbench.adapters.checkpoints.source import WeightSource

PHI3 = WeightSource(
    hub_id="GoodBaiBai88/M3D-LaMed-Phi-3-4B",
    revision="main",
    size_gb=8.1,
    licence="Apache-2.0 as others report it; trained on Radiopaedia, so not for commercial use",
    memory="about 10 GB in bf16, 18 GB in fp32",
    alternative="m3d-lamed-tiny",
)
LLAMA2 = WeightSource(
    hub_id="GoodBaiBai88/M3D-LaMed-Llama-2-7B",
    revision="main",
    size_gb=14,
    licence="Llama 2 Community License; trained on Radiopaedia, so not for commercial use",
    memory="about 17 GB in bf16, 31 GB in fp32",
    alternative="m3d-lamed-tiny",
)
BAD_MASKS = (
    "the published Llama-2-7B checkpoint segments badly, as its authors say (2024-06-12): "
    "do not take these masks for what the model can do; use M3D-LaMed-Phi-3-4B"
)
_LLAMA2_7B = {"model_type": "lamed_llama", "hidden_size": 4096, "num_hidden_layers": 32}


def source_of(weights: str | None, usual: WeightSource) -> WeightSource:
    """What is known of the wanted weights (a hub id, a folder, or None for the usual ones)."""
    return LLAMA2 if weights == LLAMA2.hub_id else usual


def known_bad(fields: Mapping[str, Any]) -> str:
    """Why no mask of a checkpoint with this config.json should be trusted; empty where nothing is known. A checkpoint
    fine-tuned from the bad one looks the same, so it is told too."""
    return BAD_MASKS if _LLAMA2_7B.items() <= dict(fields).items() else ""
