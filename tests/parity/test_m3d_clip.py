"""M3D-CLIP, loaded as published, against what the reference implementation computed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from published_folder import parity_tensors, parity_volume, write_weights

from m3dbench.adapters.checkpoints import Checkpoint, Placement, load
from m3dbench.adapters.m3d_clip.model import UNUSED, M3DClip
from m3dbench.errors import UserError

TOLERANCE = 1e-6
FP32 = Placement("cpu", "fp32")


@pytest.fixture(scope="module")
def model(parity: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[M3DClip]:
    folder = tmp_path_factory.mktemp("m3d_clip")
    tensors = parity_tensors(parity / "m3d_clip")
    # a buffer that checkpoints of old libraries hold
    tensors["language_encoder.embeddings.position_ids"] = torch.arange(512)[None]
    write_weights(tensors, folder, shards=1, kind="bin")
    (folder / "config.json").write_text((parity / "m3d_clip" / "config.json").read_text())
    checkpoint = Checkpoint(folder)
    loaded = load(lambda: M3DClip(checkpoint.config()), checkpoint, placement=FP32, unused=UNUSED)
    (folder / "pytorch_model.bin").unlink()
    yield loaded


@pytest.fixture(scope="module")
def recorded(parity: Path) -> Any:
    return np.load(parity / "m3d_clip" / "expected.npz")


@pytest.mark.parametrize("case", [0, 1, 2])
def test_text(case: int, model: M3DClip, recorded: Any) -> None:
    ids = torch.from_numpy(recorded[f"{case}.input_ids"])[None].long()
    with torch.inference_mode():
        vector = model.encode_text(ids, (ids != 0).long())[0]
    np.testing.assert_allclose(vector.numpy(), recorded[f"{case}.text_embedding"], rtol=0, atol=TOLERANCE)


def test_images(parity: Path, model: M3DClip, recorded: Any) -> None:
    cases = json.loads((parity / "m3d_clip" / "cases.json").read_text())
    for number, pair in enumerate(cases["pairs"]):
        with torch.inference_mode():
            vector = model.encode_image(parity_volume(parity, pair["volume_seed"]))[0]
        np.testing.assert_allclose(vector.numpy(), recorded[f"{number}.image_embedding"], rtol=0, atol=TOLERANCE)


def test_the_vision_tower_alone_is_no_retrieval_model(parity: Path, tmp_path: Path) -> None:
    shapes = json.loads((parity / "m3d_clip" / "tensors.json").read_text())
    prefix = "vision_encoder."
    tower = {
        name.removeprefix(prefix): torch.zeros(1).expand(shape)  # takes no room in the file
        for name, shape in shapes.items()
        if name.startswith(prefix)
    }
    torch.save(tower, tmp_path / "pretrained_ViT.bin")
    fields = json.loads((parity / "m3d_clip" / "config.json").read_text())
    with pytest.raises(UserError, match="not the weights of M3DClip") as caught:
        load(lambda: M3DClip(fields), tmp_path / "pretrained_ViT.bin", placement=FP32, unused=UNUSED)
    assert "this file is the part vision_encoder alone" in str(caught.value)
