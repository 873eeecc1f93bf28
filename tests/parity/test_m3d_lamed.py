"""M3D-LaMed with both language models, loaded as published, against what the reference implementation computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from published_folder import parity_tensors, parity_volume, write_weights
from torch import Tensor, nn

from m3dbench.adapters.checkpoints import Checkpoint, Placement, load
from m3dbench.adapters.m3d_lamed.config import LaMedConfig
from m3dbench.adapters.m3d_lamed.model import UNUSED, Generated, LaMed, rename

FP32 = Placement("cpu", "fp32")
CASES = (0, 1, 2)
KINDS = {"m3d_lamed_llama": (3, "safetensors", 1, 1e-4), "m3d_lamed_phi3": (2, "bin", 2, 1e-3)}
"""Folder -> shards, their kind, the projector's layers, tolerance of the logits."""
MEMORY: list[tuple[dict[str, Tensor], dict[bytes, Tensor]]] = []
"""Weights of a tower, and its outputs by the digest of the images."""


class Remembered(nn.Module):
    """A tower whose outputs are kept for all towers of the same weights: both folders have the same ones."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower
        weights = dict(tower.state_dict())
        for known, outputs in MEMORY:
            if known.keys() == weights.keys() and all(torch.equal(known[name], weights[name]) for name in known):
                self.outputs = outputs
                return
        self.outputs = dict[bytes, Tensor]()
        MEMORY.append((weights, self.outputs))

    def forward(self, images: Tensor) -> Tensor:
        key = hashlib.sha256(images.contiguous().numpy()).digest()
        if key not in self.outputs:
            self.outputs[key] = self.tower(images)
        return self.outputs[key]


@dataclass(frozen=True)
class Loaded:
    """recorded: of case N the entry ``N.what``. features, cells: by volume seed."""

    model: LaMed
    recorded: Any
    seeds: tuple[int, ...]
    features: dict[int, Tensor]
    cells: dict[int, Tensor]
    answers: list[Generated]
    tolerance: float

    def of(self, case: int, what: str) -> Any:
        return self.recorded[f"{case}.{what}"]

    def ids(self, case: int) -> Tensor:
        return torch.from_numpy(self.of(case, "input_ids")).long()


@pytest.fixture(scope="module", params=KINDS)
def loaded(request: pytest.FixtureRequest, parity: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    shards, kind, layers, tolerance = KINDS[request.param]
    source, folder = parity / request.param, tmp_path_factory.mktemp(request.param)
    tensors = parity_tensors(source)
    # what blocks of MONAI from 1.4 on save besides
    tensors["model.vision_tower.vision_tower.blocks.0.norm_cross_attn.weight"] = torch.ones(768)
    write_weights(tensors, folder, shards, kind)
    del tensors
    (folder / "config.json").write_text((source / "config.json").read_text())
    checkpoint = Checkpoint(folder)
    config = LaMedConfig.of(checkpoint.config())
    model = load(lambda: LaMed(config), checkpoint, placement=FP32, rename=rename, unused=UNUSED)
    for path in checkpoint.files():
        path.unlink()
    assert config.projector_layers == layers
    model.vision_tower = Remembered(model.vision_tower)  # type: ignore[assignment]
    model.segmentation.image_encoder = Remembered(model.segmentation.image_encoder)  # type: ignore[assignment]
    asked = json.loads((source / "cases.json").read_text())
    seeds = tuple(question["volume_seed"] for question in asked["questions"])
    recorded = np.load(source / "expected.npz")
    volumes = {seed: parity_volume(parity, seed) for seed in set(seeds)}
    with torch.inference_mode():
        features = {seed: model.image_features(volume)[0] for seed, volume in volumes.items()}
        cells = {seed: model.segmentation.encode(volume) for seed, volume in volumes.items()}
        prompts = [torch.from_numpy(recorded[f"{case}.input_ids"]).long() for case in CASES]
        answers = [
            model.generate([features[seed]], [prompt], asked["max_new_tokens"])[0]
            for seed, prompt in zip(seeds, prompts, strict=True)
        ]
    yield Loaded(model, recorded, seeds, features, cells, answers, tolerance)


@pytest.mark.parametrize("case", CASES)
def test_image_features(case: int, loaded: Loaded) -> None:
    features = loaded.features[loaded.seeds[case]].numpy()
    np.testing.assert_allclose(features, loaded.of(case, "image_features"), rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_next_token_logits(case: int, loaded: Loaded) -> None:
    with torch.inference_mode():
        logits, _ = loaded.model([loaded.features[loaded.seeds[case]]], [loaded.ids(case)])
    expected = loaded.of(case, "next_token_logits")
    np.testing.assert_allclose(logits[0, -1].numpy(), expected, rtol=0, atol=loaded.tolerance)


@pytest.mark.parametrize("case", CASES)
def test_greedy_ids_are_exact(case: int, loaded: Loaded) -> None:
    assert list(loaded.answers[case].ids) == loaded.of(case, "generated_ids").tolist()


@pytest.mark.parametrize("case", CASES)
def test_mask_logits(case: int, loaded: Loaded) -> None:
    seg = loaded.answers[case].seg
    assert (seg is not None) == bool(loaded.of(case, "has_mask"))
    if seg is None:
        assert np.isneginf(loaded.of(case, "seg_logits_strided")).all()
        return
    with torch.inference_mode():
        logits = loaded.model.mask_logits(loaded.cells[loaded.seeds[case]], seg[None])[0, 0].numpy()
    np.testing.assert_allclose(logits[::4, ::8, ::8], loaded.of(case, "seg_logits_strided"), rtol=0, atol=1e-6)
    assert abs(int((logits > 0).sum()) - int(loaded.of(case, "seg_mask_voxels"))) <= 20


def test_a_batch_of_prompts_of_different_length_gives_the_same(loaded: Loaded) -> None:
    features = [loaded.features[seed] for seed in loaded.seeds]
    with torch.inference_mode():
        logits, _ = loaded.model(features, [loaded.ids(case) for case in CASES])
    for case in CASES:
        expected = loaded.of(case, "next_token_logits")
        np.testing.assert_allclose(logits[case, -1].numpy(), expected, rtol=0, atol=loaded.tolerance)
