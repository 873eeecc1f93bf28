"""LoRA (arXiv 2106.09685) merged into the weights as they are loaded: W + scale * B @ A, in float32.

Done here rather than by peft: its classes wrap a built model under names of their own and load the adapter's tensors
into it, which needs the unmerged model in memory and the network as a transformers class; the merge itself is one sum.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from m3dbench.adapters.checkpoints.checkpoint import read_json
from m3dbench.adapters.checkpoints.stored import tensors
from m3dbench.errors import UserError

PREFIXES = ("module.", "base_model.model.")
PART = re.compile(r"(?P<module>.+)\.(?P<part>lora_(?:embedding_)?[AB])(?:\.default)?(?:\.weight)?")
WRAPPERS = re.compile(r"\.(?:base_layer|modules_to_save\.default|modules_to_save)(?=\.)")
UNSUPPORTED = ("use_dora", "layer_replication", "megatron_config", "use_qalora")


def plain_name(stored: str) -> tuple[str, str]:
    """A stored name as the base model has it, and which half of a delta it is (``lora_A``...), empty for a tensor.

    Takes off the prefixes of data-parallel training and of PEFT, and PEFT's wrappers.
    """
    name = stored
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    if match := PART.fullmatch(name):
        return WRAPPERS.sub("", match["module"] + ".weight"), match["part"]
    return WRAPPERS.sub("", name), ""


@dataclass(frozen=True)
class LoraSettings:
    """What adapter_config.json says of the scale."""

    file: Path
    alpha: float
    alphas: Mapping[str, float]
    rank_stabilised: bool
    fan_in_fan_out: bool

    @staticmethod
    def read(path: Path) -> LoraSettings:
        """Raises UserError for an adapter of another kind, or without ``lora_alpha``."""
        fields: dict[str, Any] = read_json(path)
        kind = fields.get("peft_type", "LORA")
        odd = [name for name in UNSUPPORTED if fields.get(name)]
        if kind != "LORA" or odd:
            what = f"peft_type {kind}" if kind != "LORA" else odd[0]
            raise UserError(
                f"an adapter with {what} is not supported, only plain LoRA", file=path, fix="merge it first"
            )
        if "lora_alpha" not in fields:
            raise UserError("lora_alpha is missing", file=path, field="lora_alpha", fix="write the training's value")
        return LoraSettings(
            path,
            float(fields["lora_alpha"]),
            fields.get("alpha_pattern") or {},
            bool(fields.get("use_rslora")),
            bool(fields.get("fan_in_fan_out")),
        )

    def scale(self, stored: str, rank: int) -> float:
        """alpha / rank (or its root), where a pattern for the module's name comes first."""
        module = stored.partition(".lora_")[0]
        alpha = next((a for key, a in self.alphas.items() if re.fullmatch(rf"(.*\.)?({key})", module)), self.alpha)
        return alpha / (sqrt(rank) if self.rank_stabilised else rank)


@dataclass
class Delta:
    """The two halves of one weight's delta: A (rank, in) and B (out, rank)."""

    settings: LoraSettings
    name: str
    halves: dict[str, tuple[Path, str, tuple[int, ...]]] = field(default_factory=dict)

    def add(self, part: str, path: Path, stored: str, shape: tuple[int, ...]) -> None:
        self.halves[part] = (path, stored, shape)

    def misfit(self, shape: tuple[int, ...]) -> str:
        """Why it cannot be added to a weight of this shape; empty when it can."""
        if len(self.halves) != 2 or len({part[:-1] for part in self.halves}) != 1:
            return f"{self.name} has only {', '.join(self.halves)} of its LoRA weights"
        (_, _, a), (_, _, b) = self.halves[min(self.halves)], self.halves[max(self.halves)]
        if len(a) != 2 or len(b) != 2 or a[0] != b[1]:
            return f"{self.name} LoRA {b} @ {a}"
        made = (b[0], a[1])
        return "" if made[:: -1 if self._turned else 1] == shape else f"{self.name} LoRA {made}, expected {shape}"

    @property
    def _turned(self) -> bool:
        return self.settings.fan_in_fan_out or "lora_embedding_A" in self.halves

    def added_to(self, weight: Tensor) -> Tensor:
        """The weight, in float32, with the delta."""
        a, b = (self._read(part) for part in sorted(self.halves))
        _, stored, shape = self.halves[min(self.halves)]
        delta = self.settings.scale(plain_stored(stored), shape[0]) * (b @ a)
        return weight.to(torch.float32) + (delta.T if self._turned else delta)

    def _read(self, part: str) -> Tensor:
        path, stored, _ = self.halves[part]
        ((_, tensor),) = tensors(path, [stored])
        return tensor.to(torch.float32)


def plain_stored(stored: str) -> str:
    """A stored name without the prefixes."""
    for prefix in PREFIXES:
        stored = stored.removeprefix(prefix)
    return stored
