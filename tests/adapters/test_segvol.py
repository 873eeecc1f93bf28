"""SegVol as an adapter, on a checkpoint of toy size: looks, prompts, boxes, leakage, layouts of weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from m3dbench import registry
from m3dbench.adapter import Context, Query
from m3dbench.adapters.checkpoints import Checkpoint
from m3dbench.adapters.segvol import zoom
from m3dbench.adapters.segvol.adapter import CUT, NOT_FOUND, SegVolAdapter
from m3dbench.adapters.segvol.config import TextSegVolConfig
from m3dbench.adapters.segvol.running import Runner
from m3dbench.data.sample import AnswerKind, Request
from m3dbench.errors import UserError
from m3dbench.metrics.boxes import mask_to_box

GRID = (24, 64, 64)
LIVER = Request("segment", target="liver")


def volume(seed: int = 0, grid: tuple[int, int, int] = GRID) -> np.ndarray:
    return np.random.default_rng(seed).random((1, *grid), dtype=np.float32)


def query(request: Request, image: np.ndarray | None = None) -> Query:
    shown = volume() if image is None else image
    depth, height, width = shown.shape[-3:]
    return Query("a", "case", request, volume=lambda: shown, grid=lambda: (depth, height, width))


def made(weights: Path, answer: AnswerKind = "mask", **options: Any) -> SegVolAdapter:
    adapter: SegVolAdapter = registry.create("adapters", "segvol", {"weights": str(weights), **options})
    adapter.prepare(Context("task", answer, 0, train=lambda: iter(())))
    return adapter


@pytest.fixture(scope="module")
def segvol(random_segvol: Path) -> SegVolAdapter:
    return made(random_segvol)


@pytest.fixture
def runner(segvol: SegVolAdapter) -> Runner:
    assert segvol._runner is not None
    return segvol._runner


# Two looks


def test_the_region_is_padded_and_its_end_may_be_the_axis_length() -> None:
    logits = torch.full((1, 1, 48, 300, 280), -1.0)
    logits[0, 0, 20:23, 290:, 100:180] = 1
    found = zoom.region(logits, (32, 256, 256))
    assert found == zoom.Region((6, 167, 12), (36, 300, 267))
    assert [one.stop for one in found.slices] == [37, 301, 268]
    assert zoom.region(-logits.abs(), (32, 256, 256)) is None


def test_normalising_clips_to_percentiles_of_what_is_above_the_mean() -> None:
    image = volume(2) ** 3
    bright = image[image > image.mean()]
    score = (image.clip(*np.percentile(bright, [0.05, 99.95])) - bright.mean()) / bright.std()
    expected = (score - score.min()) / (score.max() - score.min())
    np.testing.assert_allclose(zoom.normalised(image), expected, atol=1e-5)
    np.testing.assert_allclose(zoom.normalised(image * 700 - 200), expected, atol=1e-4)
    assert not zoom.normalised(np.ones_like(image)).any()


def test_only_the_foreground_is_looked_at(segvol: SegVolAdapter, runner: Runner) -> None:
    image = np.zeros((1, 30, 64, 70), dtype=np.float32)
    image[:, 4:28, :, 3:67] = volume() + 0.01
    image /= image.max()
    (answer,) = segvol.predict([query(LIVER, image)])
    assert answer.mask is not None and answer.mask.shape == (30, 64, 70)
    inner, _ = runner.segment(image[:, 4:28, :, 3:67], answer.wording, zoom_in=True)
    np.testing.assert_array_equal(answer.mask[4:28, :, 3:67], inner)
    outside = np.ones(answer.mask.shape, dtype=bool)
    outside[4:28, :, 3:67] = False
    assert not answer.mask[outside].any()


def test_an_empty_volume_is_looked_at_whole(segvol: SegVolAdapter) -> None:
    (answer,) = segvol.predict([query(LIVER, np.zeros((1, *GRID), dtype=np.float32))])
    assert answer.mask is not None and answer.mask.shape == GRID


def test_the_second_look_replaces_the_first_in_its_region(runner: Runner) -> None:
    full = torch.from_numpy(volume(3, (40, 90, 80)))[None]
    look = runner.look(full, "A computerized tomography of a liver.")
    first = runner.look(full, "A computerized tomography of a liver.", zoom_in=False)
    assert look.region is not None and look.second is not None and first.second is None
    torch.testing.assert_close(look.final[(..., *look.region.slices)], look.second)
    outside = torch.ones(look.final.shape, dtype=torch.bool)
    outside[(..., *look.region.slices)] = False
    torch.testing.assert_close(look.final[outside], first.final[outside])


def test_questions_on_one_volume_share_its_view(runner: Runner, segvol: SegVolAdapter) -> None:
    before = runner.views.computed
    for name in ("liver", "spleen", "kidney"):
        segvol.predict([query(Request("segment", target=name), volume(9))])
    assert runner.views.computed == before + 1


# Prompts and answers


def test_names_definitions_and_questions_stand_in_the_trained_phrase(segvol: SegVolAdapter) -> None:
    asked = [LIVER, Request("segment", description="It is in the image."), Request("segment", question="what is it ?")]
    told = [segvol.predict([query(one)])[0].wording for one in asked]
    phrase = "A computerized tomography of a {}."
    assert told == [phrase.format(text) for text in ("liver", "It is in the image", "what is it")]


def test_a_text_over_the_towers_length_is_cut_and_noted(segvol: SegVolAdapter) -> None:
    assert CUT not in segvol.predict([query(LIVER)])[0].notes
    (answer,) = segvol.predict([query(Request("segment", description="liver " * 30))])
    assert CUT in answer.notes


def test_a_box_is_the_masks(segvol: SegVolAdapter) -> None:
    (mask,) = segvol.predict([query(LIVER)])
    (box,) = segvol.predict([query(Request("locate", target="liver"))])
    assert mask.mask is not None
    assert box.mask is None and box.box == mask_to_box(mask.mask > 0.5)


def test_nothing_found_is_an_absence(segvol: SegVolAdapter, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "segment", lambda *_, **__: (np.zeros(GRID, dtype=np.float32), False))
    for kind in ("locate", "segment"):
        (answer,) = segvol.predict([query(Request(kind, target="liver"))])
        assert (answer.absent, answer.box, answer.notes) == (True, None, (NOT_FOUND,))


def test_a_volume_of_hounsfield_units_is_an_error(segvol: SegVolAdapter) -> None:
    with pytest.raises(ValueError, match=r"and the model was trained on 0\.\.1"):
        segvol.predict([query(LIVER, volume() * 400 - 200)])


# Leakage


@pytest.mark.parametrize("prompt", ["box", "point", "mask"])
def test_prompts_that_would_come_from_the_reference_are_refused(prompt: str, random_segvol: Path) -> None:
    with pytest.raises(UserError, match=f"a {prompt} prompt would have to come from the reference.*leaks") as caught:
        registry.create("adapters", "segvol", {"weights": str(random_segvol), "prompt": prompt})
    assert caught.value.field == "prompt"


def test_a_request_with_a_box_is_not_answered(segvol: SegVolAdapter) -> None:
    with pytest.raises(UserError, match="comes from the reference"):
        segvol.predict([query(Request("segment", target="liver", box=(0, 0, 0, 1, 1, 1)))])


# Weights


def test_the_layouts_of_the_hub_and_of_the_file_give_the_same(
    segvol: SegVolAdapter, random_segvol: Path, tmp_path: Path
) -> None:
    tensors = load_file(random_segvol / "model.safetensors")
    inner = {name.removeprefix("model."): value for name, value in tensors.items()}
    tower = "text_encoder.clip_text_model."
    inner = {name.replace(tower, f"{tower}text_model."): value for name, value in inner.items()}
    torch.save({"model": {f"module.{name}": value for name, value in inner.items()}}, tmp_path / "SegVol.pth")
    shutil.copy(random_segvol / "config.json", tmp_path)
    other = made(tmp_path / "SegVol.pth", tokenizer=str(random_segvol))
    np.testing.assert_array_equal(other.predict([query(LIVER)])[0].mask, segvol.predict([query(LIVER)])[0].mask)
    assert other.facts()["prompt"] == segvol.facts()["prompt"]


def test_a_file_without_a_configuration_is_of_published_size(tmp_path: Path) -> None:
    (tmp_path / "SegVol_v1.pth").touch()
    config = TextSegVolConfig.read(Checkpoint(tmp_path / "SegVol_v1.pth"))
    assert (config.network.encoder.depth, config.network.encoder.width) == (12, 768)
    assert (config.text.vocab_size, config.text.hidden_size, config.text.num_hidden_layers) == (49408, 512, 12)
    assert (config.text.eos_token_id, config.text.max_position_embeddings) == (49407, 77)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model_type": "lamed_phi3"}, "model_type is 'lamed_phi3', expected 'segvol'"),
        ({"image_encoder": {"qkv_bias": True}}, "image_encoder.qkv_bias is True, only False"),
        ({"image_encoder": None}, "the configuration is not this model's"),
        ({"text_config": {"hidden_size": 33}}, r"the configuration is not this model's: .* \(33\)"),
        ({"spatial_size": [25, 64, 64]}, r"\(25, 64, 64\) voxels is not tiled by patches of \(4, 16, 16\)"),
    ],
)
def test_a_configuration_of_another_model_is_named(
    change: dict[str, Any], told: str, random_segvol: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(random_segvol, tmp_path / "other")
    fields = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**fields, **change}))
    with pytest.raises(UserError, match=told):
        made(folder)


def test_weights_that_do_not_fit_are_named(random_segvol: Path, tmp_path: Path) -> None:
    tensors = load_file(random_segvol / "model.safetensors")
    del tensors["model.mask_decoder.iou_token.weight"]
    tensors["model.prompt_encoder.no_mask_embed.weight"] = torch.zeros(1, 7)
    tensors["model.decoder.weight"] = torch.zeros(1)
    folder = shutil.copytree(random_segvol, tmp_path / "other", ignore=shutil.ignore_patterns("*.safetensors"))
    torch.save(tensors, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="not the weights of TextSegVol") as caught:
        made(folder)
    for name in ("1 missing (mask_decoder.iou_token.weight)", "unexpected (model.decoder.weight)", "no_mask_embed"):
        assert name in caught.value.message


def test_a_folder_without_clips_tokenizer_is_refused(random_segvol: Path, random_clip: Path) -> None:
    with pytest.raises(UserError, match="tokenizer is not CLIP's"):
        made(random_segvol, tokenizer=str(random_clip))
    with pytest.raises(UserError, match="there is no tokenizer: "):
        made(random_segvol, tokenizer=str(random_clip.parent))


def test_clips_tokenizer_is_asked_for_where_the_weights_come_without(random_segvol: Path, tmp_path: Path) -> None:
    shutil.copy(random_segvol / "model.safetensors", tmp_path / "SegVol.safetensors")
    with pytest.raises(UserError, match="CLIP's tokenizer is not on this machine") as caught:
        registry.create("adapters", "segvol", {"weights": str(tmp_path / "SegVol.safetensors")})
    assert "-o tokenizer=FOLDER" in str(caught.value.fix)
    assert "openai/clip-vit-base-patch32" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "told"), [({"prompt": "voice"}, "no prompt 'voice'"), ({"normalise": "hu"}, "no normalise 'hu'")]
)
def test_wrong_options_are_named(options: dict[str, str], told: str, random_segvol: Path) -> None:
    with pytest.raises(UserError, match=told):
        registry.create("adapters", "segvol", {"weights": str(random_segvol), **options})


def test_what_makes_a_run_is_in_its_facts(segvol: SegVolAdapter, random_segvol: Path) -> None:
    facts = segvol.facts()
    assert (len(facts["weights"]), facts["normalise"], facts["prompt"]["kind"]) == (64, "none", "text")
    assert registry.create("adapters", "segvol", {"weights": str(random_segvol), "zoom_in": "no"}).facts() != facts
    assert {check["name"] for check in segvol.recorded()["self_checks"]} >= {"input", "text is read", "image is seen"}
