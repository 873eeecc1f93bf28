"""Folders laid out as published checkpoints, with the weights of the parity folders."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

NOT_COPIED = ("tensors.json", "cases.json", "unused.json", "real_tokenizer.json")


def weights_module(parity: Path) -> ModuleType:
    """``weights.py`` of the parity material."""
    spec = importlib.util.spec_from_file_location("parity_weights", parity / "weights.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parity_tensors(folder: Path) -> dict[str, Tensor]:
    """Every tensor of a parity folder, float32, under its published name."""
    made: dict[str, npt.NDArray[np.float32]] = weights_module(folder.parent).state_dict(folder)
    return {name: torch.from_numpy(np.array(value)) for name, value in made.items()}


def parity_volume(parity: Path, seed: int) -> Tensor:
    """A volume of the parity cases with a batch axis, (1, 1, 32, 256, 256)."""
    return torch.from_numpy(weights_module(parity).volume(seed))[None]


def write_published(
    source: Path, target: Path, *, dtype: torch.dtype = torch.bfloat16, shards: int = 3, kind: str = "safetensors"
) -> Path:
    """The parity folder ``source`` as the hub would hold it: settings, tokenizer, shards with their index.

    kind: ``safetensors`` or ``bin``. One shard is a single file without an index.
    """
    copy_settings(source, target)
    write_weights({name: value.to(dtype) for name, value in parity_tensors(source).items()}, target, shards, kind)
    return target


def write_radfm(source: Path, target: Path) -> Path:
    """RadFM's parity folder as its users have it: settings and tokenizer beside one float32 ``pytorch_model.bin`` with
    every tensor of the real file, those that inference ignores as zeros that take no space."""
    copy_settings(source, target)
    unused = json.loads((source / "unused.json").read_text())
    ignored = {name: torch.zeros(()).expand(shape) for name, shape in unused.items()}
    write_weights({**ignored, **parity_tensors(source)}, target, 1, "bin")
    return target


def copy_settings(source: Path, target: Path) -> None:
    """The settings and tokenizer of a parity folder, in a new one."""
    target.mkdir(parents=True)
    for path in source.iterdir():
        if path.suffix in (".json", ".txt", ".model") and path.name not in NOT_COPIED:
            shutil.copyfile(path, target / path.name)


def write_parts(source: Path, target: Path, *, dtype: torch.dtype = torch.bfloat16) -> Path:
    """The parity folder of Med-2E3 as the hub would hold it: settings in ``args`` that point to bases, and a folder
    with settings and a state dict for every part; the question's tokenizer beside them."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in parity_tensors(source).items():
        part, _, inside = name.partition("/")
        parts.setdefault(part, {})[inside] = value.to(dtype)
    fields = json.loads((source / "config.json").read_text())
    for part, tensors in parts.items():
        (target / part).mkdir(parents=True)
        torch.save(tensors, target / part / "pytorch_model.bin")
        config = fields[f"{part}_config"]
        if part.endswith("connector"):
            continue
        (target / part / "config.json").write_text(json.dumps(config))
        fields[f"{part}_config"] = {name: config[name] for name in ("_name_or_path", "model_type")}
    (target / "args").mkdir()
    (target / "args" / "config.json").write_text(json.dumps(fields))
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copyfile(source / name, target / "llm" / name)
    shutil.copytree(source / "m3d_clip_tokenizer", target / "m3d_clip_tokenizer")
    return target


def write_weights(tensors: dict[str, Tensor], target: Path, shards: int, kind: str) -> None:
    """A state dict as one file, or as shards with their index, the same number of tensors in each."""
    stem = "model" if kind == "safetensors" else "pytorch_model"
    if shards == 1:
        _save(tensors, target / f"{stem}.{kind}")
        return
    total = sum(value.nbytes for value in tensors.values())
    weight_map, parts = {}, [dict[str, Tensor]() for _ in range(shards)]
    for place, (name, value) in enumerate(tensors.items()):
        number = place * shards // len(tensors)
        parts[number][name] = value
        weight_map[name] = f"{stem}-{number + 1:05}-of-{shards:05}.{kind}"
    for number, part in enumerate(parts):
        _save(part, target / f"{stem}-{number + 1:05}-of-{shards:05}.{kind}")
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (target / f"{stem}.{kind}.index.json").write_text(json.dumps(index))


def published_once(parity: Path, name: str, factory: pytest.TempPathFactory) -> Path:
    """The bf16 folder of a parity checkpoint, made once for all processes of a test run. Read only."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # without workers, that is where the folders of earlier test runs lie
    target = base / f"published-{name}"
    with (base / f"published-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            draft = base / f"published-{name}.draft"
            shutil.rmtree(draft, ignore_errors=True)
            write_published(parity / name, draft).rename(target)
    return target


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    if path.suffix == ".safetensors":
        save_file(tensors, path, metadata={"format": "pt"})
    else:
        torch.save(tensors, path)


def write_pmc_clip(source: Path, target: Path) -> Path:
    """PMC-CLIP as published: a training state whose tensors, the unused ones too, carry ``module.``; the settings and
    the tokenizer beside it. float32."""
    target.mkdir(parents=True)
    for path in source.iterdir():
        if path.suffix in (".json", ".txt") and path.name not in NOT_COPIED:
            shutil.copyfile(path, target / path.name)
    unused = json.loads((source / "unused.json").read_text())
    tensors = {name: torch.zeros(1).expand(shape) if shape else torch.tensor(1) for name, shape in unused.items()}
    tensors |= parity_tensors(source)
    state = {f"module.{name}": value for name, value in tensors.items()}
    torch.save(
        {"epoch": 30, "state_dict": state, "optimizer": {"state": {}, "param_groups": []}}, target / "checkpoint.pt"
    )
    return target
