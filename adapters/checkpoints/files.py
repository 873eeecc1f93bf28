"""The weight files of a checkpoint: which of a folder's count."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from m3dbench.errors import UserError

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
OPEN_CLIP = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
SINGLES = (
    "model.safetensors",
    "pytorch_model.bin",
    "merged_model.bin",
    "model_with_lora.bin",
    *OPEN_CLIP,
    "checkpoint.pt",
)
ADAPTER_CONFIG = "adapter_config.json"
OPEN_CLIP_CONFIG = "open_clip_config.json"
ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")
TRAINED_BESIDE = ("non_lora_trainables.safetensors", "non_lora_trainables.bin")
"""What training saves beside an adapter: parts that were trained in full."""
SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True)
class Layout:
    """What lies where in a checkpoint's folder.

    config: its settings. parts: sub-folders that hold the weights, each as a folder of its own would; a tensor there is
    known as ``PART/NAME``. Without parts the folder itself holds them.
    """

    config: str = "config.json"
    parts: tuple[str, ...] = ()

    def told(self) -> str:
        """For a message."""
        return ", ".join((self.config, *self.parts))


PLAIN = Layout()


def weight_files(place: Path) -> list[Path]:
    """The files that make up the weights in a folder (or the file itself), sorted.

    In this order: an index with its shards (safetensors first), a single file of a usual name, the only file with a
    usual ending. Raises UserError when there are none, or when shards are missing.
    """
    if place.is_file():
        return [place]
    for index in INDEXES:
        if (place / index).is_file():
            shards = sorted({place / name for name in _index(place / index).values()})
            missing = [shard.name for shard in shards if not shard.is_file()]
            if missing:
                raise UserError(
                    f"{len(missing)} of {len(shards)} weight files are missing: {', '.join(missing[:5])}",
                    file=place / index,
                    fix="copy or download them again (--download resumes)",
                )
            return shards
    for name in SINGLES:
        if (place / name).is_file():
            return [place / name]
    others = sorted(path for path in place.iterdir() if path.suffix in SUFFIXES) if place.is_dir() else []
    if len(others) == 1:
        return others
    names = ", ".join(path.name for path in others[:5])
    raise UserError(
        f"there are several weight files and no index: {names}" if others else "there are no weight files",
        file=place,
        fix=f"a checkpoint's folder holds one of {', '.join((*INDEXES, *SINGLES))}; or give the file itself",
    )


def adapter_files(folder: Path) -> list[Path]:
    """The weight files of a LoRA adapter: its own, and what was trained in full beside it."""
    found = [folder / name for name in ADAPTERS if (folder / name).is_file()][:1]
    if not found and (folder / "model_with_lora.bin").is_file():
        found = [folder / "model_with_lora.bin"]
    if not found:
        raise UserError("the LoRA adapter has no weights", file=folder, fix=f"it needs {' or '.join(ADAPTERS)}")
    return found + [folder / name for name in TRAINED_BESIDE if (folder / name).is_file()][:1]


def _index(path: Path) -> Mapping[str, str]:
    try:
        found: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
    except (ValueError, KeyError) as error:
        raise UserError(f"the index cannot be read: {error}", file=path, fix="copy or download it again") from error
    return found


def part_files(place: Path, parts: Sequence[str]) -> list[Path]:
    """The weight files of all parts. Raises UserError naming the part that lacks them, or is a LoRA adapter."""
    for part in parts:
        if (place / part / ADAPTER_CONFIG).is_file():
            fix = "merge it into its base first, and save the whole part"
            raise UserError(f"the part {part} is a LoRA adapter", file=place / part, fix=fix)
    return [path for part in parts for path in weight_files(place / part)]


def missing_places(place: Path, layout: Layout) -> list[str]:
    """What a folder lacks of its parts and their settings; nothing where the layout has no parts."""
    if not layout.parts:
        return []
    parts = [part for part in layout.parts if not (place / part).is_dir()]
    return parts if (place / layout.config).is_file() else [layout.config, *parts]


def why_incomplete(place: Path, layout: Layout = PLAIN) -> str:
    """What keeps a folder from being a whole checkpoint; empty when nothing does."""
    names = (layout.config, ADAPTER_CONFIG, *((OPEN_CLIP_CONFIG,) if layout == PLAIN else ()))
    if not any((place / name).is_file() for name in names):
        return f"no {layout.config}"
    try:
        if layout.parts:
            part_files(place, layout.parts)
        else:
            (adapter_files if (place / ADAPTER_CONFIG).is_file() else weight_files)(place)
    except UserError as error:
        return error.message
    return ""


def lacks_code(place: Path) -> str:
    """Whether the settings name code that is not beside them, and what; empty when nothing is missing."""
    try:
        named = json.loads((place / "config.json").read_text(encoding="utf-8")).get("auto_map", {})
    except (OSError, ValueError):
        return ""
    modules = {str(name).rpartition("--")[2].partition(".")[0] for name in named.values()}
    missing = sorted(f"{module}.py" for module in modules if not (place / f"{module}.py").is_file())
    return f"no {', '.join(missing)}" if missing else ""
