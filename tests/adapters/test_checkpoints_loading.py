"""Checkpoints of every layout fill a network exactly; what does not fit is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from published_folder import write_weights
from torch import Tensor, nn

from m3dbench.adapters.checkpoints import Checkpoint, Placement, load
from m3dbench.adapters.checkpoints.files import weight_files
from m3dbench.errors import UserError

FP32, BF16 = Placement("cpu", "fp32"), Placement("cpu", "bf16")


class Toy(nn.Module):
    """A part of its own, a buffer that is saved and one that is not, and a head that may be tied."""

    def __init__(self, *, tied: bool = False) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 6)
        self.tower = nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6))
        self.head = nn.Linear(6, 11, bias=False)
        if tied:
            self.head.weight = self.words.weight
        self.register_buffer("saved", torch.randn(6))
        self.register_buffer("count", torch.tensor(3))
        self.register_buffer("frequencies", 1 / 10 ** (torch.arange(6) / 6), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        made: Tensor = self.head(self.tower(self.words(ids) * self.frequencies.cos().to(self.saved.dtype) + self.saved))
        return made


IDS = torch.arange(11)


@pytest.fixture
def toy() -> Toy:
    torch.manual_seed(0)
    return Toy().eval()


@pytest.fixture
def tensors(toy: Toy) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in toy.state_dict().items()}


def same(loaded: nn.Module, expected: nn.Module) -> bool:
    return torch.equal(loaded(IDS), expected(IDS))


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
@pytest.mark.parametrize("shards", [1, 3])
def test_files_of_the_hub(kind: str, shards: int, toy: Toy, tensors: dict[str, Tensor], tmp_path: Path) -> None:
    write_weights(tensors, tmp_path, shards, kind)
    loaded = load(Toy, tmp_path, placement=FP32)
    assert same(loaded, toy)
    assert not loaded.training
    assert int(loaded.count) == 3
    assert not any(value.is_meta for value in (*loaded.parameters(), *loaded.buffers()))
    assert not any(value.requires_grad for value in loaded.parameters())


@pytest.mark.parametrize(
    ("name", "prefix", "level"),
    [
        ("merged_model.bin", "", ""),
        ("merged_model.bin", "base_model.model.", ""),
        ("merged_model.bin", "module.", ""),
        ("checkpoint.pt", "module.", "state_dict"),
        ("model.safetensors", "", ""),
    ],
)
def test_single_files(name: str, prefix: str, level: str, toy: Toy, tensors: dict[str, Tensor], tmp_path: Path) -> None:
    from safetensors.torch import save_file

    named = {prefix + key: value for key, value in tensors.items()}
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file(named, path)
    else:
        torch.save({level: named, "epoch": 3} if level else named, path)
    assert same(load(Toy, path, placement=FP32), toy)
    assert same(load(Toy, tmp_path, placement=FP32), toy)


def test_files_of_old_torch_are_read_without_mapping(toy: Toy, tensors: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(tensors, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    assert same(load(Toy, tmp_path, placement=FP32), toy)


def test_code_in_a_pickle_is_not_run(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({**tensors, "evil": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be read: it holds more than tensors, whose code is not run"):
        load(Toy, tmp_path, placement=FP32)
    assert not (tmp_path / "ran").exists()


def test_half_precision_leaves_computed_buffers_alone(toy: Toy, tensors: dict[str, Tensor], tmp_path: Path) -> None:
    write_weights(tensors, tmp_path, 2, "safetensors")
    loaded = load(Toy, tmp_path, placement=BF16)
    assert {value.dtype for value in loaded.parameters()} == {torch.bfloat16}
    assert loaded.saved.dtype == torch.bfloat16
    assert loaded.count.dtype == torch.int64
    assert torch.equal(loaded.frequencies, toy.frequencies)


@pytest.mark.parametrize("left_out", ["head.weight", "words.weight"])
def test_tied_weights_stay_one(left_out: str, tmp_path: Path) -> None:
    toy = Toy(tied=True).eval()
    tensors = {name: value.clone() for name, value in toy.state_dict().items() if name != left_out}
    write_weights(tensors, tmp_path, 1, "safetensors")
    loaded = load(lambda: Toy(tied=True), tmp_path, placement=FP32)
    assert loaded.head.weight is loaded.words.weight
    assert same(loaded, toy)


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("kind", ["Llama", "Phi3"])
def test_language_models_of_transformers(kind: str, tie: bool, tmp_path: Path) -> None:
    transformers: Any = pytest.importorskip("transformers")
    config = getattr(transformers, f"{kind}Config")(
        hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        vocab_size=30, tie_word_embeddings=tie, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(1)
    built = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    tensors = {name: value.clone() for name, value in built.state_dict().items()}
    if tie:
        del tensors["lm_head.weight"]
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)  # old files hold it
    write_weights(tensors, tmp_path, 2, "bin")
    loaded = load(lambda: getattr(transformers, f"{kind}ForCausalLM")(config), tmp_path, placement=FP32)
    ids = torch.arange(1, 9)[None]
    assert torch.equal(loaded(input_ids=ids).logits, built(input_ids=ids).logits)
    assert (loaded.lm_head.weight is loaded.model.embed_tokens.weight) == tie


def test_bert_of_transformers(tmp_path: Path) -> None:
    transformers: Any = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, vocab_size=30
    )
    built = transformers.BertModel(config, add_pooling_layer=False).eval()
    tensors = {name: value.clone() for name, value in built.state_dict().items()}
    tensors["embeddings.position_ids"] = torch.arange(512)[None]
    write_weights(tensors, tmp_path, 1, "bin")
    loaded = load(lambda: transformers.BertModel(config, add_pooling_layer=False), tmp_path, placement=FP32)
    ids = torch.arange(1, 9)[None]
    assert torch.equal(loaded(input_ids=ids).last_hidden_state, built(input_ids=ids).last_hidden_state)


def test_renamed_and_unused_tensors(toy: Toy, tensors: dict[str, Tensor], tmp_path: Path) -> None:
    theirs = {f"model.{name}": value for name, value in tensors.items()}
    theirs["model.pooler.weight"] = torch.ones(2)
    theirs["model.tower.0.norm_cross_attn.bias"] = torch.ones(2)
    theirs["model.tower.cross_attn.qkv.weight"] = torch.ones(2)
    write_weights(theirs, tmp_path, 2, "safetensors")
    loaded = load(
        Toy, tmp_path, placement=FP32, rename=lambda name: name.removeprefix("model."), unused=[r"pooler\..*"]
    )
    assert same(loaded, toy)


def test_tensors_that_may_be_missing_become_zeros(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    del tensors["head.weight"]
    write_weights(tensors, tmp_path, 1, "safetensors")
    loaded = load(Toy, tmp_path, placement=FP32, missing_ok=[r"head\..*"])
    assert not loaded.head.weight.any()


def test_misfits_are_named_before_any_value_is_read(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    del tensors["words.weight"]
    tensors["head.weight"] = torch.ones(3, 6)
    tensors |= {f"other.{number}": torch.ones(1) for number in range(7)}
    write_weights(tensors, tmp_path, 2, "safetensors")
    with pytest.raises(UserError) as caught:
        load(Toy, tmp_path, placement=FP32)
    told = str(caught.value)
    assert "not the weights of Toy" in told
    assert "1 missing (words.weight)" in told
    assert "7 unexpected (other.0, other.1, other.2, other.3, other.4, ...)" in told
    assert "1 of another shape (head.weight (3, 6), expected (11, 6))" in told
    assert str(tmp_path) in told


def test_a_part_alone_is_no_model(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    part = {name.removeprefix("tower."): value for name, value in tensors.items() if name.startswith("tower.")}
    torch.save(part, tmp_path / "pretrained_ViT.bin")
    with pytest.raises(UserError, match="this file is the part tower alone"):
        load(Toy, tmp_path, placement=FP32)


def test_missing_shards_are_named(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    write_weights(tensors, tmp_path, 3, "safetensors")
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(UserError, match=r"1 of 3 weight files are missing: model-00002-of-00003.safetensors"):
        load(Toy, tmp_path, placement=FP32)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_cut_file_is_named(name: str, tensors: dict[str, Tensor], tmp_path: Path) -> None:
    write_weights(tensors, tmp_path, 1, name.rpartition(".")[2])
    whole = (tmp_path / name).read_bytes()
    for left in (len(whole) // 2, 0):
        (tmp_path / name).write_bytes(whole[:left])
        with pytest.raises(UserError, match="cannot be read") as caught:
            load(Toy, tmp_path, placement=FP32)
        assert name in str(caught.value)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_pointer_of_git_lfs_is_no_weights(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    with pytest.raises(UserError, match="the pointer that Git LFS keeps") as caught:
        load(Toy, tmp_path, placement=FP32)
    assert "git lfs pull" in str(caught.value.fix)


@pytest.mark.parametrize("key", ["model_state_dict", "net"])
def test_a_training_states_only_state_dict_is_read(
    key: str, toy: Toy, tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    file = tmp_path / "last.pt"
    state: dict[str, Any] = {key: tensors, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}}
    torch.save(state, file)
    assert same(load(Toy, tmp_path, placement=FP32), toy)
    torch.save({**state, "ema": tensors}, file)
    with pytest.raises(UserError, match=f"the file holds several state dicts: '{key}', 'ema'") as caught:
        load(Toy, tmp_path, placement=FP32)
    assert caught.value.file == str(file)
    torch.save({"epoch": 3}, file)
    with pytest.raises(UserError, match="the file holds no tensors: 'epoch'"):
        load(Toy, tmp_path, placement=FP32)


@pytest.mark.parametrize(
    ("value", "placement", "told"),
    [
        (torch.ones(11, 6, dtype=torch.int8), FP32, "it holds int8, and the network computes with floating numbers"),
        (torch.full((11, 6), torch.nan), FP32, "values that are not finite in fp32"),
        (torch.full((11, 6), 1e6), Placement("cpu", "fp16"), "values that are not finite in fp16"),
    ],
)
def test_tensors_without_usable_numbers_are_named(
    value: Tensor, placement: Placement, told: str, tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    write_weights({**tensors, "head.weight": value}, tmp_path, 1, "safetensors")
    with pytest.raises(UserError, match=told) as caught:
        load(Toy, tmp_path, placement=placement)
    assert caught.value.record == "head.weight"


def test_which_file_counts(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no weight files"):
        weight_files(tmp_path)
    torch.save(tensors, tmp_path / "a.bin")
    assert [path.name for path in weight_files(tmp_path)] == ["a.bin"]
    torch.save(tensors, tmp_path / "b.bin")
    with pytest.raises(UserError, match=r"several weight files and no index: a.bin, b.bin"):
        weight_files(tmp_path)
    torch.save(tensors, tmp_path / "merged_model.bin")
    assert [path.name for path in weight_files(tmp_path)] == ["merged_model.bin"]
    write_weights(tensors, tmp_path, 2, "safetensors")
    assert len(weight_files(tmp_path)) == 2
    assert Checkpoint(tmp_path / "a.bin").files() == [tmp_path / "a.bin"]
