"""RadFM's checkpoints, options and tasks: what loads, and what is refused and how."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from made_radfm import created, made, query

from m3dbench import registry
from m3dbench.adapters.checkpoints.loading import weightless
from m3dbench.adapters.radfm.config import RadFMConfig
from m3dbench.adapters.radfm.model import RadFM
from m3dbench.cli.run import choose_tasks
from m3dbench.errors import UserError

pytestmark = pytest.mark.usefixtures("one_thread")


def changed(source: Path, folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    shutil.copytree(source, folder)
    tensors = torch.load(folder / "pytorch_model.bin", weights_only=True)
    change(tensors)
    torch.save(tensors, folder / "pytorch_model.bin")
    return folder


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda tensors: tensors.pop("embedding_layer.perceiver.latents"),
            r"1 missing \(embedding_layer.perceiver.latents\)",
        ),
        (lambda tensors: tensors.pop("lang_model.lm_head.weight"), r"1 missing \(lang_model.lm_head.weight\)"),
        (
            lambda tensors: tensors.update({"embedding_layer.seg_head.weight": torch.ones(2)}),
            r"1 unexpected \(embedding_layer.seg_head.weight\)",
        ),
        (
            lambda tensors: tensors.update({"embedding_layer.fc.weight": torch.ones(32, 7)}),
            r"1 of another shape \(embedding_layer.fc.weight \(32, 7\), expected \(32, 24\)\)",
        ),
        (
            lambda tensors: tensors.update({"embedding_layer.weight": tensors["embedding_layer.weight"] + 1e-3}),
            r"embedding_layer.weight and lang_model.model.embed_tokens.weight differ",
        ),
    ],
)
def test_bad_checkpoints_are_named(
    change: Callable[[dict[str, torch.Tensor]], object], told: str, random_radfm: Path, tmp_path: Path
) -> None:
    folder = changed(random_radfm, tmp_path / "bad", change)
    with pytest.raises(UserError, match=told) as caught:
        made(folder)
    assert str(tmp_path) in str(caught.value)


def test_parts_that_inference_ignores_and_either_name_of_the_embedding(random_radfm: Path, tmp_path: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        del tensors["lang_model.model.embed_tokens.weight"]
        for name in ("bert_model.pooler.dense.bias", "transformer_decoder_mlp.0.bias", "output_upscaling.0.weight"):
            tensors[f"embedding_layer.{name}"] = torch.ones(3)
        tensors["lang_model.model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)

    other, whole = made(changed(random_radfm, tmp_path / "other", change)), made(random_radfm)
    assert [one.text for one in other.predict([query("what")])] == [one.text for one in whole.predict([query("what")])]
    assert other._runner is not None
    model = other._runner.model
    assert model.embedding_layer.weight is model.lang_model.model.embed_tokens.weight


def test_settings_may_lie_elsewhere(random_radfm: Path, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "RadFM.bin").hardlink_to(random_radfm / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"there is no config.json with the weights") as caught:
        created(tmp_path / "weights" / "RadFM.bin")
    assert "-o language=FOLDER" in str(caught.value)
    found = made(tmp_path / "weights" / "RadFM.bin", language=str(random_radfm))
    assert found.recorded()["checkpoint"]["settings"] == str(random_radfm)
    assert found.facts()["prompt"] == created(random_radfm).facts()["prompt"]
    with pytest.raises(UserError, match="there is no folder /no/where"):
        created(random_radfm, language="/no/where")


def test_a_run_is_told_by_its_settings(random_radfm: Path, tmp_path: Path) -> None:
    facts = created(random_radfm).facts()
    assert facts["generation"] == {"decoding": "greedy", "max_new_tokens": 200, "ends": [1, 2]}
    assert facts["size"] == "trained"
    shutil.copytree(random_radfm, tmp_path / "other")
    settings = tmp_path / "other" / "config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "rms_norm_eps": 1e-5}))
    other = created(tmp_path / "other").facts()
    assert {name for name, fact in facts.items() if fact != other[name]} == {"config"}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"model_type": "lamed_llama"}, "model_type is 'lamed_llama'"),
        ({"vision": {"dim": 25}}, "vision.dim is 25"),
        ({"hidden_size": "wide"}, ".*'hidden_size'"),
    ],
)
def test_a_configuration_of_another_model_is_named_before_the_weights_are_read(
    fields: dict[str, Any], told: str, random_radfm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("m3dbench.adapters.checkpoints.placed.weights_digest")
    shutil.copytree(random_radfm, tmp_path / "other")
    settings = tmp_path / "other" / "config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), **fields}))
    with pytest.raises(UserError, match=f"configuration is not this model's: {told}"):
        created(tmp_path / "other").facts()
    settings.write_text("[]")
    with pytest.raises(UserError, match="it holds a list, not fields"):
        created(tmp_path / "other").facts()


def test_the_published_sizes() -> None:
    """The settings of the real language folder; the names differ from the parity folder's in the layers' number alone."""
    fields = {"hidden_size": 5120, "intermediate_size": 13824, "num_attention_heads": 40, "num_hidden_layers": 40}
    special = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": -1, "max_sequence_length": 2048}
    more = {"architectures": ["LLaMAForCausalLM"], "torch_dtype": "float16", "transformers_version": "4.27.0.dev0"}
    config = RadFMConfig.of({"model_type": "llama", "vocab_size": 32000, **fields, **special, **more})
    with weightless():
        slots = RadFM(config).state_dict(keep_vars=True)
    shapes = {name: tuple(slot.shape) for name, slot in slots.items()}
    assert len(shapes) == 577
    assert shapes["embedding_layer.weight"] == shapes["lang_model.lm_head.weight"] == (32000, 5120)
    assert shapes["embedding_layer.figure_token_weight"] == (2, 5120)
    assert shapes["embedding_layer.fc.weight"] == (5120, 768)
    assert config.language.max_position_embeddings == 2048
    assert sum({id(slot): slot.numel() for slot in slots.values()}.values()) == 13_123_822_336


# Options and tasks


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"wording": "mine"}, "no wording 'mine'"),
        ({"max_new_tokens": "0"}, "at least 1"),
        ({"size": "1024"}, "no size '1024'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, str], told: str, random_radfm: Path) -> None:
    with pytest.raises(UserError, match=told):
        created(random_radfm, **options)


def test_other_tasks_are_refused(random_radfm: Path) -> None:
    with pytest.raises(UserError, match="does not do 'rec'") as caught:
        choose_tasks(created(random_radfm), "vqa_open,rec")
    assert "report_generation, vqa_closed, vqa_open" in str(caught.value)


@pytest.mark.parametrize("download", [False, True])
def test_how_to_get_the_weights_is_told(download: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's archive in parts is no checkpoint, so that nothing is fetched of it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError) as caught:
        registry.create("adapters", "radfm", {"download": download})
    told = str(caught.value)
    for part in ("chaoyi-wu/RadFM", "53 GB", "zip -s 0", "Language_files", "-o weights=FOLDER", "-o language=FOLDER"):
        assert part in told
    assert "add --download" not in told
