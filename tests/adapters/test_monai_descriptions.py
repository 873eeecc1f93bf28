"""Descriptions of MONAI networks and their weights: what loads, and how what is wrong is named."""

from __future__ import annotations

import inspect
import re
import tomllib
from importlib import util
from pathlib import Path
from typing import Any

import pytest
import torch
from made_monai import TOML, made

from m3dbench import registry
from m3dbench.adapters.checkpoints import Placement
from m3dbench.adapters.monai_seg.description import Network, Weights, describe
from m3dbench.adapters.monai_seg.network import built, loaded, network_class
from m3dbench.errors import UserError

FP32 = Placement("cpu", "fp32")


@pytest.mark.parametrize(
    ("kind", "arguments", "size"),
    [
        (
            "UNETR",
            {"img_size": [16] * 3, "feature_size": 4, "hidden_size": 24, "mlp_dim": 32, "num_heads": 2},
            (16, 16, 16),
        ),
        ("SwinUNETR", {"feature_size": 12, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 2, 2]}, (64, 32, 32)),
    ],
)
def test_transformers_load_as_training_frameworks_save_them(
    kind: str, arguments: dict[str, Any], size: tuple[int, int, int], tmp_path: Path
) -> None:
    network = Network(kind=kind, arguments={"in_channels": 1, "out_channels": 2, **arguments})
    plain = built(network, tmp_path).eval()
    saved = {f"net.{name}": value for name, value in plain.state_dict().items()}
    torch.save({"state_dict": saved, "epoch": 3}, tmp_path / "last.ckpt")
    weights = Weights(file="last.ckpt", prefix="net.")
    again = loaded(lambda: built(network, tmp_path), weights, tmp_path / "last.ckpt", FP32)
    with torch.inference_mode():
        image = torch.rand(1, 1, *size)
        torch.testing.assert_close(again(image), plain(image))


def test_weights_that_do_not_fit_are_named(random_segresnet: Path, tmp_path: Path) -> None:
    saved = torch.load(random_segresnet / "model.pt", weights_only=True)
    saved["conv_final.2.conv.weight"] = torch.zeros(3, 8, 1, 1, 1)
    saved["head.weight"] = saved.pop("convInit.conv.weight")
    torch.save(saved, tmp_path / "model.pt")
    (tmp_path / "net.toml").write_text(TOML)
    with pytest.raises(UserError, match="not the weights of SegResNet") as caught:
        made(tmp_path / "net.toml")
    for told in ("1 missing (convInit.conv.weight)", "1 unexpected (head.weight)", "conv_final.2.conv.weight (3, 8"):
        assert told in caught.value.message
    assert caught.value.file == str(tmp_path / "model.pt")


def test_a_prefix_of_training_is_named(random_segresnet: Path, tmp_path: Path) -> None:
    saved = torch.load(random_segresnet / "model.pt", weights_only=True)
    torch.save({f"net.{name}": value for name, value in saved.items()}, tmp_path / "model.pt")
    (tmp_path / "net.toml").write_text(TOML)
    with pytest.raises(UserError, match="not the weights of SegResNet") as caught:
        made(tmp_path / "net.toml")
    assert "the names in the file begin with 'net.'" in str(caught.value.fix)
    (tmp_path / "net.toml").write_text(TOML.replace('"model.pt"', '"model.pt"\nprefix = "net."'))
    made(tmp_path / "net.toml")


@pytest.mark.parametrize(
    ("old", "new", "field", "told"),
    [
        ('"SegResNet"', '"SegResNot"', "network.class", "has no network 'SegResNot'"),
        ('"SegResNet"', '"os.system"', "network.class", "not the bare name of a class in monai.networks.nets"),
        ("out_channels = 5", "outputs = 5", "network.arguments.outputs", "does not take 'outputs'"),
        ("blocks_up = [1]", "blocks_up = 1", "network.arguments", "cannot be built"),
        ('"model.pt"', '"other.pt"', "weights.file", "there are no weights at"),
        ("[labels]", "[lables]", "labels", "it is missing"),
        ("liver = 1", "liver = -1", "labels.liver.0", "greater than or equal to 0"),
        ("liver = 1", "liver = true", "labels.liver.0", "a valid integer"),
        ("liver = 1", "liver = []", "labels", "'liver' has no name or no channel"),
        ("liver = 1", "liver = 9", "labels", "output channels are 0 to 4, and the label table names 9"),
        ('orientation = "RAS"', 'orientation = "RAX"', "input.orientation", "one letter each of R or L"),
        ('orientation = "RAS"', "window = [100, 50]", "input", "is empty"),
        ('orientation = "RAS"', "spacing = [1, 1, 1]", "input", "spacing or size, not both"),
        ('orientation = "RAS"', "colour = 1", "input.colour", "there is no field 'colour'"),
        ("[sliding]\nsize = [24, 24, 12]", "[sliding]\nsize = [24, 24]", "sliding.size.2", "it is missing"),
        (
            "[sliding]\nsize = [24, 24, 12]",
            "[sliding]\nsize = [24, 24, 11]",
            "sliding.size",
            r"windows of \[24, 24, 11\]",
        ),
        ('"model.pt"', '"model.pt"\nunused = ["loss("]', "weights.unused", r"'loss\(' is no regular expression"),
        ("kidney = 2", "kidney = ", None, "is not valid TOML"),
    ],
)
def test_a_wrong_description_is_named_by_file_and_field(
    old: str, new: str, field: str | None, told: str, random_segresnet: Path, tmp_path: Path
) -> None:
    assert old in TOML
    (tmp_path / "model.pt").symlink_to(random_segresnet / "model.pt")
    (tmp_path / "net.toml").write_text(TOML.replace(old, new, 1))
    with pytest.raises(UserError, match=told) as caught:
        made(tmp_path / "net.toml")
    assert caught.value.field == field
    assert caught.value.fix
    assert caught.value.file == str(tmp_path / "net.toml")


def test_without_monai_the_extra_is_named(random_segresnet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = util.find_spec
    monkeypatch.setattr(
        "m3dbench.adapters.monai_seg.adapter.find_spec", lambda name: None if name == "monai" else find(name)
    )
    with pytest.raises(UserError) as caught:
        registry.create("adapters", "monai-seg", {"config": str(random_segresnet / "net.toml")})
    assert caught.value.fix == "pip install 'm3dbench[monai]'"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "needs the description of a network"),
        ({"config": "no/such.toml"}, "there is no file"),
        ({"config": "."}, "no bundle"),
    ],
)
def test_without_a_description_there_is_no_model(options: dict[str, str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        registry.create("adapters", "monai-seg", options)


def test_the_pages_descriptions_are_valid() -> None:
    page = Path(__file__).parents[2] / "docs" / "model-monai-seg.md"
    blocks = re.findall(r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) == 2
    for block in blocks:
        described = describe(tomllib.loads(block), page)
        assert set(described.network.arguments) <= set(inspect.signature(network_class("SwinUNETR", page)).parameters)
