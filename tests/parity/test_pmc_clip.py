"""PMC-CLIP, loaded as published, against what the reference implementation computed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from published_folder import weights_module, write_pmc_clip

from m3dbench.adapters.checkpoints import Checkpoint, Placement, load
from m3dbench.adapters.checkpoints.loading import weightless
from m3dbench.adapters.pmc_clip.model import UNUSED, PmcClip, PmcClipConfig
from m3dbench.adapters.pmc_clip.pixels import MEAN, STD, pixels
from m3dbench.adapters.pmc_clip.towers import PmcClipTowers
from m3dbench.adapters.slices.retrieval import slices_of
from m3dbench.data.slices import Picture, pictures
from m3dbench.errors import UserError

FP32 = Placement("cpu", "fp32")
HOW = slices_of(10, True, "d", "full", "")
EVERY = 1009
"""Of the normalised pixels, each 1009th is recorded."""
ALL_SLICES = (3,)


@pytest.fixture(scope="module")
def folder(parity: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = write_pmc_clip(parity / "pmc_clip", tmp_path_factory.mktemp("pmc_clip") / "published")
    yield place
    (place / "checkpoint.pt").unlink()


@pytest.fixture(scope="module")
def towers(folder: Path) -> PmcClipTowers:
    return PmcClipTowers.load(Checkpoint(folder), folder, FP32)


@pytest.fixture(scope="module")
def recorded(parity: Path) -> Any:
    return np.load(parity / "pmc_clip" / "expected.npz")


@pytest.fixture(scope="module")
def cases(parity: Path) -> Any:
    return json.loads((parity / "pmc_clip" / "cases.json").read_text())


def images(cases: Any) -> torch.Tensor:
    made = []
    for case in cases["images"]:
        rng = np.random.default_rng(case["seed"])
        coarse, fine = rng.random((3, 7, 7), np.float32), rng.random((3, 224, 224), np.float32)
        image = 0.5 * (coarse.repeat(32, axis=1).repeat(32, axis=2) + fine)
        made.append((image - MEAN[:, None, None]) / STD[:, None, None])
    return torch.from_numpy(np.stack(made).astype(np.float32))


def test_the_image_tower_and_its_stages(towers: PmcClipTowers, recorded: Any, cases: Any) -> None:
    batch = images(cases)
    np.testing.assert_allclose(batch.flatten(1)[:, ::EVERY].numpy(), recorded["image.pixels"], atol=1e-6)
    with torch.inference_mode():
        stages = towers.model.visual.stages(batch)
        embedded = towers.model.visual.attnpool(stages[-1]).numpy()
    for name, stage in zip(("stem", "layer1", "layer2", "layer3", "layer4"), stages, strict=True):
        every = cases["stage_stride"][name]["stride"]
        np.testing.assert_allclose(stage[0].flatten()[::every].numpy(), recorded[f"image.0.{name}"], atol=5e-4)
    np.testing.assert_allclose(embedded, recorded["image.embeddings"], atol=2e-3)
    assert towers.model.config.heads == 32
    wrong = np.abs(embedded - recorded["wrong.image.embeddings.heads8"]).max()
    assert wrong > 0.1, "eight heads load as well and compute something else"


def test_the_text_tower_attends_to_padding(towers: PmcClipTowers, recorded: Any, cases: Any) -> None:
    ids = towers.ids(cases["texts"])
    np.testing.assert_array_equal(ids.numpy(), recorded["text.input_ids"])
    with torch.inference_mode():
        found = towers.model.text_features(ids).numpy()
    np.testing.assert_allclose(found, recorded["text.embeddings"], atol=3e-4)
    assert np.abs(found[:3] - recorded["wrong.text.embeddings.masked"][:3]).max() > 0.1
    assert towers.texts(cases["texts"])[1] == [False, False, False, True]


def shown(case: Any, weights: Any) -> list[Picture]:
    depth, height, width = case["shape"][-3:]
    if case["kind"] == "volume":
        return pictures(weights.volume(case["seed"], tuple(case["shape"])), HOW)
    blocks = weights.volume(case["seed"], (1, depth, 9, 8))
    rows, columns = np.arange(height) * 9 // height, np.arange(width) * 8 // width
    return pictures(blocks[:, :, rows][..., columns], HOW)


def test_slices_scores_and_the_best_slice(towers: PmcClipTowers, recorded: Any, cases: Any, parity: Path) -> None:
    weights = weights_module(parity)
    texts, _ = towers.texts(cases["texts"])
    for number, case in enumerate(cases["volumes"]):
        views = shown(case, weights)
        assert len(views) == len(case["slices"])
        flat = np.stack([pixels(view, 224) for view in views]).reshape(len(views), -1)[:, ::EVERY]
        np.testing.assert_allclose(flat, recorded[f"slices.{number}.pixels"], atol=1e-6)
        best = [case["slices"].index(index) for index in case["best_slice"]]
        # a pass of the image tower is dear: all slices of one volume, of the others those that decide
        chosen = list(range(len(views))) if number in ALL_SLICES else sorted(set(best))
        vectors = towers.images([views[place] for place in chosen])
        expected = recorded[f"slices.{number}.embeddings"][chosen]
        np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)
        cosine = vectors @ texts.T
        np.testing.assert_allclose(cosine, recorded[f"slices.{number}.cosine"][chosen], atol=1e-5)
        np.testing.assert_allclose(cosine.max(axis=0), recorded["scores"][number], atol=1e-5)
        assert [chosen[place] for place in cosine.argmax(axis=0)] == best


def test_the_image_tower_alone_is_no_retrieval_model(folder: Path, tmp_path: Path) -> None:
    config = PmcClipConfig.of(json.loads((folder / "config.json").read_text()))
    with weightless():
        tower = PmcClip(config).visual
    parts = {name: torch.zeros(1).expand(value.shape) for name, value in tower.named_parameters()}
    parts |= {name: value for name, value in tower.named_buffers() if "running" in name}
    torch.save(parts, tmp_path / "image.pth")
    with pytest.raises(UserError, match="not the weights of PmcClip") as caught:
        load(lambda: PmcClip(config), tmp_path / "image.pth", placement=FP32, unused=UNUSED)
    assert "this file is the part visual alone" in str(caught.value)
