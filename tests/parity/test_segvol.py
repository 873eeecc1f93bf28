"""SegVol, loaded as published, against what the reference implementation computed: one view, then both looks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from published_folder import parity_tensors, parity_volume, weights_module
from torch import Tensor

from m3dbench.adapters.checkpoints import Checkpoint, Placement
from m3dbench.adapters.nets.two_way import position_code
from m3dbench.adapters.segvol.config import TextSegVolConfig
from m3dbench.adapters.segvol.running import Look, Runner
from m3dbench.adapters.segvol.texts import PromptTokens, phrase
from m3dbench.adapters.segvol.zoom import region, slide, whole_logits
from m3dbench.data.sample import Request

TOLERANCE = 1e-4
VOXELS = 5
FILES = (
    "config.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
)
SINGLE = (0, 1)


@dataclass(frozen=True)
class Loaded:
    runner: Runner
    cases: Any
    recorded: Any
    parity: Path

    def near(self, case: int, what: str, found: Tensor | np.ndarray) -> None:
        np.testing.assert_allclose(found, self.recorded[f"{case}.{what}"], rtol=0, atol=TOLERANCE)

    def voxels(self, case: int, logits: Tensor) -> None:
        assert abs(int((logits > 0).sum()) - int(self.recorded[f"{case}.positive_voxels"])) <= VOXELS

    def prompt(self, case: int) -> str:
        return phrase(Request("segment", target=self.cases["cases"][case]["organ"]))


@pytest.fixture(scope="module")
def loaded(parity: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """From the layout of the published .pth: one level down, every name with its prefix."""
    source, folder = parity / "segvol", tmp_path_factory.mktemp("segvol")
    for name in FILES:
        (folder / name).write_text((source / name).read_text())
    tensors = {f"module.{name}": value for name, value in parity_tensors(source).items()}
    # a buffer that checkpoints of old libraries hold
    tensors["module.text_encoder.clip_text_model.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    torch.save({"model": tensors, "epoch": 1}, folder / "SegVol.pth")
    del tensors
    checkpoint = Checkpoint(folder)
    config = TextSegVolConfig.read(checkpoint)
    tokens = PromptTokens(checkpoint.tokenizer_folder(), config.text)
    runner = Runner.load(checkpoint, config, tokens, Placement("cpu", "fp32"), clip=False)
    (folder / "SegVol.pth").unlink()
    yield Loaded(runner, json.loads((source / "cases.json").read_text()), np.load(source / "expected.npz"), parity)


@pytest.mark.parametrize("case", SINGLE)
def test_the_text(case: int, loaded: Loaded) -> None:
    ids, _, cut = loaded.runner.tokens.ids(loaded.prompt(case))
    assert ids[0].tolist() == loaded.recorded[f"{case}.input_ids"].ravel().tolist()
    assert not cut
    loaded.near(case, "text_embedding", loaded.runner.vector(loaded.prompt(case))[0][0])


def test_the_position_code(loaded: Loaded) -> None:
    gaussian = loaded.runner.model.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
    grid = loaded.runner.model.config.encoder.grid
    code = position_code(grid, gaussian)[0].T.unflatten(1, grid)[::16, ::2, ::4, ::4]
    found = loaded.recorded["dense_position_encoding_strided"]
    np.testing.assert_allclose(code, found.reshape(code.shape), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", SINGLE)
def test_one_view_from_cells_to_logits(case: int, loaded: Loaded) -> None:
    model, seen = loaded.runner.model, dict[str, Tensor]()
    decoder = model.mask_decoder
    parts = {"decoder_tokens": decoder.transformer, "upscaled": decoder.output_upscaling}
    parts["hypernetwork"] = decoder.output_hypernetworks_mlps[0]
    keep = [
        part.register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
        for name, part in parts.items()
    ]
    volume = parity_volume(loaded.parity, loaded.cases["cases"][case]["volume_seed"])
    with torch.inference_mode():
        cells = model.encode(volume)
        keep.append(decoder.register_forward_hook(lambda _, __, out: seen.update(low=out)))
        logits = model.decode(cells, loaded.runner.vector(loaded.prompt(case))[0])
    for hook in keep:
        hook.remove()
    loaded.near(case, "image_tokens_strided", cells[0][::64, ::8])
    loaded.near(case, "decoder_tokens", seen["decoder_tokens"][0][0])
    loaded.near(case, "upscaled_embedding_strided", seen["upscaled"][0][::12, ::8, ::16, ::16])
    loaded.near(case, "mask_hypernetwork", seen["hypernetwork"][0])
    loaded.near(case, "low_res_logits_strided", seen["low"][0, 0, ::4, ::4, ::4])
    loaded.near(case, "logits_strided", logits[0, 0, ::4, ::8, ::8])
    loaded.voxels(case, logits)


@pytest.fixture(scope="module")
def full(loaded: Loaded) -> Tensor:
    """The phantom of the cases, cropped to its foreground: it is that already."""
    made = loaded.cases["phantom"]
    volume = weights_module(loaded.parity).volume(made["volume_seed"], tuple(made["shape"]))
    inside = np.zeros(volume.shape, dtype=bool)
    inside[(0, *(slice(*edge) for edge in made["inside_box_DHW"]))] = True
    return torch.from_numpy(np.where(inside, volume, volume * np.float32(made["factor_outside"])))[None]


def test_both_looks_with_one_padded_window(loaded: Loaded, full: Tensor) -> None:
    check_look(2, loaded, loaded.runner.look(full, loaded.prompt(2)))
    assert (loaded.runner.views.computed, loaded.runner.windows.computed) == (1, 1)


def test_both_looks_with_windows_that_overlap(loaded: Loaded, full: Tensor) -> None:
    """Eight windows take 20 s of a core, so unless M3DBENCH_PARITY=whole only two of them are computed, and only what
    depends on no other is compared; the others are NaN."""
    runner, text = loaded.runner, loaded.prompt(3)
    if os.environ.get("M3DBENCH_PARITY") == "whole":
        check_look(3, loaded, runner.look(full, text))
        return
    seen: list[Tensor] = []

    def some(window: Tensor) -> Tensor:
        seen.append(window)
        return runner._decoded(runner.windows, window, runner.vector(text)[0]) if len(seen) <= 2 else window * np.nan

    first = runner.look(full, text, zoom_in=False).first
    place = region(whole_logits(first, full.shape[-3:]), runner.grid)
    assert place is not None
    assert [*place.low, *place.high] == loaded.recorded["3.roi"].tolist()
    with torch.inference_mode():
        second = slide(full[(..., *place.slices)], runner.grid, some)[0, 0, ::4, ::8, ::8].numpy()
    assert len(seen) == 8
    computed = np.isfinite(second)
    assert computed[:4, :5].all(), "what lies in the first two windows alone, across their overlap"
    loaded.near(3, "zoom_out_logits_strided", first[0, 0, ::4, ::8, ::8])
    expected = loaded.recorded["3.zoom_in_logits_strided"]
    assert second.shape == expected.shape
    np.testing.assert_allclose(second[computed], expected[computed], rtol=0, atol=TOLERANCE)


def check_look(case: int, loaded: Loaded, look: Look) -> None:
    assert look.region is not None and look.second is not None
    assert [*look.region.low, *look.region.high] == loaded.recorded[f"{case}.roi"].tolist()
    assert list(look.second.shape[-3:]) == loaded.recorded[f"{case}.roi_shape"].tolist()
    loaded.near(case, "zoom_out_logits_strided", look.first[0, 0, ::4, ::8, ::8])
    loaded.near(case, "zoom_in_logits_strided", look.second[0, 0, ::4, ::8, ::8])
    loaded.near(case, "final_logits_strided", look.final[0, 0, ::4, ::8, ::8])
    loaded.voxels(case, look.final)
