"""Which stored tensor fills which of a network's, decided from names and shapes before any value is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.files import ADAPTER_CONFIG
from m3dbench.adapters.checkpoints.lora import Delta, LoraSettings, plain_name
from m3dbench.adapters.checkpoints.stored import shapes
from m3dbench.errors import UserError

Rename = Callable[[str], str]
Shape = tuple[int, ...]
EXTRAS = (
    r"(.*\.)?(norm_cross_attn|cross_attn)\..*",
    r"(.*\.)?rotary_emb\.inv_freq",
    r"(.*\.)?embeddings\.position_ids",
    r"(.*\.)?original_module\..*",
    r"(.*\.)?num_batches_tracked",
)
"""Tensors that any checkpoint may hold without use: of MONAI's blocks since 1.4, buffers of old
transformers and of batch norms, and what PEFT keeps of a module that was trained in full."""
SHOWN = 5


def fits(name: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern matches the whole name."""
    return any(re.fullmatch(pattern, name) for pattern in patterns)


@dataclass
class Plan:
    """places: the network's name -> file and stored name. deltas: what LoRA adds. found: shapes in the files.
    unexpected: name as the network would have it -> stored name."""

    checkpoint: Checkpoint
    expected: Mapping[str, Shape]
    places: dict[str, tuple[Path, str]] = field(default_factory=dict)
    deltas: dict[str, Delta] = field(default_factory=dict)
    found: dict[str, Shape] = field(default_factory=dict)
    unexpected: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(checkpoint: Checkpoint, expected: Mapping[str, Shape], rename: Rename, unused: Sequence[str]) -> Plan:
        """From the names in the files; a later file's tensor replaces an earlier one's of the same name."""
        plan = Plan(checkpoint, expected)
        settings = LoraSettings.read(checkpoint.path / ADAPTER_CONFIG) if checkpoint.lora else None
        for path in checkpoint.files():
            inside = checkpoint.part(path)
            for stored, shape in shapes(path).items():
                name, part = plain_name(stored)
                name = rename(inside + name)
                if part:
                    if settings is None:
                        raise UserError(
                            f"it holds LoRA weights ({stored}), and there is no {ADAPTER_CONFIG}",
                            file=path,
                            fix='write one beside it with the training\'s alpha: {"lora_alpha": 32}',
                        )
                    plan.deltas.setdefault(name, Delta(settings, name)).add(part, path, stored, shape)
                elif name in expected:
                    plan.places[name] = (path, stored)
                    plan.found[name] = shape
                elif not fits(name, (*unused, *EXTRAS)):
                    plan.unexpected[name] = inside + stored
        return plan

    def check(self, tied: Sequence[set[str]], missing_ok: Sequence[str], network: str) -> None:
        """Raises UserError naming what is missing, unexpected, or of another shape."""
        missing = [
            min(names)
            for names in tied
            if not names & self.places.keys() and not all(fits(name, (*missing_ok, *EXTRAS)) for name in names)
        ]
        reshaped = [
            f"{name} {shape}, expected {self.expected[name]}"
            for name, shape in self.found.items()
            if shape != self.expected[name]
        ]
        astray = sorted(name for name in self.deltas if name not in self.places)
        wrong = [delta for name, delta in self.deltas.items() if name in self.places]
        reshaped += [told for delta in wrong if (told := delta.misfit(self.expected[delta.name]))]
        troubles = [
            _list(missing, "missing"),
            _list(list(self.unexpected.values()), "unexpected"),
            _list(reshaped, "of another shape"),
            _list(astray, "changed by LoRA and not there"),
        ]
        if not any(troubles):
            return
        fix = "is it the checkpoint of another model, or are its settings another's?"
        if part := self._only_a_part():
            fix = f"this file is the part {part} alone: give the folder of the whole checkpoint"
        if prefix := self._prefix():
            fix = f"the names in the file begin with {prefix!r}: save them without, or name it as their prefix"
        told = f"these are not the weights of {network}: {'; '.join(filter(None, troubles))}"
        raise UserError(told, file=self.checkpoint.path, fix=fix)

    def _only_a_part(self) -> str:
        """The part of the network (``vision_encoder``) whose names, without its own, all the unexpected ones are."""
        parts = {name.partition(".")[0] for name in self.expected}
        for part in sorted(parts):
            if self.unexpected and all(f"{part}.{name}" in self.expected for name in self.unexpected):
                return part
        return ""

    def _prefix(self) -> str:
        """What stands before every name that the network misses (``net.``)."""
        missing = sorted(self.expected.keys() - self.places.keys())
        for name in self.unexpected if missing else ():
            prefix = name.removesuffix(missing[0])
            if prefix != name and prefix.endswith(".") and all(prefix + one in self.unexpected for one in missing):
                return prefix
        return ""

    def by_file(self) -> dict[Path, dict[str, str]]:
        """File -> stored name -> the network's name, in the order of the file."""
        files: dict[Path, dict[str, str]] = {}
        for name, (path, stored) in self.places.items():
            files.setdefault(path, {})[stored] = name
        return files

    def with_delta(self, name: str, stored: Tensor) -> Tensor:
        """A stored tensor with what LoRA adds to it."""
        delta = self.deltas.get(name)
        return stored if delta is None else delta.added_to(stored)


def _list(names: Sequence[str], what: str) -> str:
    if not names:
        return ""
    more = ", ..." if len(names) > SHOWN else ""
    return f"{len(names)} {what} ({', '.join(names[:SHOWN])}{more})"
