"""LoRA adapters merged at load equal weights merged by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from published_folder import write_weights
from safetensors.torch import save_file
from torch import Tensor, nn

from m3dbench.adapters.checkpoints import Checkpoint, Placement, WeightSource, load
from m3dbench.errors import UserError

FP32 = Placement("cpu", "fp32")
SOURCE = WeightSource("owner/name", "main", 1, "none", "little", "tiny")
RANK, ALPHA = 2, 6
Q, WORDS, HEAD = "layers.0.q_proj", "words", "head"


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(7, 4)
        self.layers = nn.ModuleList([nn.ModuleDict({"q_proj": nn.Linear(4, 5)})])
        self.head = nn.Linear(5, 7)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    folder = tmp_path / "base"
    folder.mkdir()
    write_weights(dict(Net().state_dict()), folder, 1, "safetensors")
    (folder / "config.json").write_text('{"size": 4}')
    return folder


def adapter(base: Path, weights: dict[str, Tensor], **settings: Any) -> Path:
    folder = base.parent / "adapter"
    folder.mkdir()
    save_file(weights, folder / "adapter_model.safetensors")
    content = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "base_model_name_or_path": str(base), **settings}
    (folder / "adapter_config.json").write_text(json.dumps(content))
    return folder


def halves(module: str, out: int, into: int) -> tuple[dict[str, Tensor], Tensor]:
    """The stored tensors of a delta, and B @ A."""
    a, b = torch.randn(RANK, into), torch.randn(out, RANK)
    prefix = f"base_model.model.{module}"
    return {f"{prefix}.lora_A.weight": a, f"{prefix}.lora_B.weight": b}, b @ a


def loaded(folder: Path, **options: Any) -> dict[str, Tensor]:
    return dict(load(Net, Checkpoint.find(SOURCE, str(folder), **options), placement=FP32).state_dict())


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({}, ALPHA / RANK),
        ({"use_rslora": True}, ALPHA / RANK**0.5),
        ({"alpha_pattern": {"q_proj": 10}}, 10 / RANK),
        ({"alpha_pattern": {"k_proj": 10}}, ALPHA / RANK),
    ],
)
def test_deltas_are_added(base: Path, settings: dict[str, Any], scale: float) -> None:
    before = loaded(base)
    stored, product = halves(Q, 5, 4)
    after = loaded(adapter(base, stored, **settings))
    assert torch.equal(after[f"{Q}.weight"], before[f"{Q}.weight"] + scale * product)
    assert all(torch.equal(after[name], before[name]) for name in before if name != f"{Q}.weight")


def test_weights_that_lie_the_other_way_round(base: Path) -> None:
    before = loaded(base)
    stored, product = halves(Q, 4, 5)
    after = loaded(adapter(base, stored, fan_in_fan_out=True))
    assert torch.equal(after[f"{Q}.weight"], before[f"{Q}.weight"] + 3 * product.T)


def test_embeddings(base: Path) -> None:
    before = loaded(base)
    a, b = torch.randn(RANK, 7), torch.randn(4, RANK)
    prefix = f"base_model.model.{WORDS}"
    after = loaded(adapter(base, {f"{prefix}.lora_embedding_A": a, f"{prefix}.lora_embedding_B": b}))
    assert torch.equal(after["words.weight"], before["words.weight"] + 3 * (b @ a).T)


@pytest.mark.parametrize(
    "name", ["base_model.model.head.weight", "base_model.model.head.modules_to_save.default.weight"]
)
def test_modules_trained_in_full_replace_the_base(base: Path, name: str) -> None:
    stored, _ = halves(Q, 5, 4)
    head = torch.randn(7, 5)
    before = {"base_model.model.head.original_module.weight": torch.zeros(7, 5)}
    assert torch.equal(loaded(adapter(base, {**stored, name: head, **before}))["head.weight"], head)


def test_what_training_saves_beside_the_adapter(base: Path) -> None:
    stored, _ = halves(Q, 5, 4)
    folder = adapter(base, stored)
    head, bias = torch.randn(7, 5), torch.randn(7)
    torch.save({"base_model.model.head.weight": head, "head.bias": bias}, folder / "non_lora_trainables.bin")
    after = loaded(folder)
    assert torch.equal(after["head.weight"], head)
    assert torch.equal(after["head.bias"], bias)


def test_state_dict_of_a_wrapped_model_as_m3d_saves_it(base: Path, tmp_path: Path) -> None:
    before = loaded(base)
    stored, product = halves(Q, 5, 4)
    wrapped = {f"base_model.model.{name}": value for name, value in before.items()}
    wrapped[f"base_model.model.{Q}.base_layer.weight"] = wrapped.pop(f"base_model.model.{Q}.weight")
    wrapped |= {name.replace(".weight", ".default.weight"): value for name, value in stored.items()}
    folder = tmp_path / "trained"
    folder.mkdir()
    torch.save(wrapped, folder / "model_with_lora.bin")
    with pytest.raises(UserError, match=r"holds LoRA weights .* no adapter_config.json"):
        loaded(folder)
    (folder / "adapter_config.json").write_text(json.dumps({"lora_alpha": ALPHA}))
    assert torch.equal(loaded(folder)[f"{Q}.weight"], before[f"{Q}.weight"] + 3 * product)


def test_half_precision_is_reached_after_the_sum(base: Path) -> None:
    before = loaded(base)
    stored, product = halves(Q, 5, 4)
    checkpoint = Checkpoint.find(SOURCE, str(adapter(base, stored)))
    after = load(Net, checkpoint, placement=Placement("cpu", "bf16")).state_dict()
    assert torch.equal(after[f"{Q}.weight"], (before[f"{Q}.weight"] + 3 * product).bfloat16())


def test_base_and_settings(base: Path) -> None:
    stored, _ = halves(Q, 5, 4)
    folder = adapter(base, stored, base_model_name_or_path="/gone/away")
    with pytest.raises(UserError, match="no weights at /gone/away"):
        Checkpoint.find(SOURCE, str(folder))
    checkpoint = Checkpoint.find(SOURCE, str(folder), base=str(base))
    assert checkpoint.config() == {"size": 4}
    assert checkpoint.origin() == {"path": str(folder), "base": str(base)}
    with pytest.raises(UserError, match="these weights are whole"):
        Checkpoint.find(SOURCE, str(base), base=str(base))


@pytest.mark.parametrize("settings", [{"peft_type": "IA3"}, {"use_dora": True}])
def test_other_kinds_of_adapters_are_refused(base: Path, settings: dict[str, Any]) -> None:
    stored, _ = halves(Q, 5, 4)
    with pytest.raises(UserError, match="not supported"):
        loaded(adapter(base, stored, **settings))


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda stored: {name: value for name, value in stored.items() if "lora_A" in name}, "only lora_A"),
        (lambda stored: {name.replace("q_proj", "k_proj"): value for name, value in stored.items()}, "not there"),
        (lambda stored: {name: value[:, :1] for name, value in stored.items()}, "LoRA"),
    ],
)
def test_deltas_that_do_not_fit_are_named(base: Path, broken: Any, told: str) -> None:
    stored, _ = halves(Q, 5, 4)
    folder = adapter(base, {name: value.contiguous() for name, value in broken(stored).items()})
    with pytest.raises(UserError, match=told):
        loaded(folder)
