"""Checkpoint folders in the published layout: config.json, model.safetensors in float16, tokenizer files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from m3dbench.adapters.m3d_clip.model import M3DClip
from m3dbench.adapters.m3d_lamed.model import PREFIXES, LaMed

from .vocabulary import save_bert, save_language

WEIGHTS = "model.safetensors"


def published_name(name: str) -> str:
    """The name that a tensor of ours has in a published checkpoint."""
    for theirs, ours in PREFIXES.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    raise ValueError(f"no published name for the tensor {name!r}")


def save_lamed(model: LaMed, fields: dict[str, Any], tokenizer: Tokenizer, folder: Path) -> None:
    """Write m3d-lamed-tiny."""
    _save({published_name(name): value for name, value in model.state_dict().items()}, fields, folder)
    save_language(tokenizer, folder)


def save_clip(model: M3DClip, fields: dict[str, Any], tokenizer: Tokenizer, folder: Path) -> None:
    """Write m3d-clip-tiny."""
    _save(dict(model.state_dict()), fields, folder)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    save_bert(tokenizer, folder)


def _save(tensors: dict[str, Tensor], fields: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    halves = {
        name: value.detach().to(torch.float16 if value.is_floating_point() else value.dtype).contiguous().clone()
        for name, value in tensors.items()
    }
    scratch = folder / f".{WEIGHTS}.part"
    save_file(halves, scratch, metadata={"format": "pt"})
    scratch.chmod(0o644)
    scratch.replace(folder / WEIGHTS)
    (folder / "config.json").write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
