"""MONAI's bundles: read as descriptions, their code run only where it is trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_monai import ARGUMENTS, CLASSES, SIZE, made, query, volume

from m3dbench import registry
from m3dbench.adapters.monai_seg.bundle import Bundle
from m3dbench.adapters.monai_seg.description import read_description
from m3dbench.data.sample import Request
from m3dbench.errors import UserError


def bundle(random_segresnet: Path, folder: Path, **inference: Any) -> Path:
    """A bundle around the trained network, with what those of the model zoo have around theirs."""
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "models" / "model.pt").symlink_to(random_segresnet / "model.pt")
    named = {"0": "background", **{str(place): name for place, name in enumerate(CLASSES, start=1)}}
    metadata = {"version": "0.1", "network_data_format": {"outputs": {"pred": {"channel_def": named}}}}
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    content = {
        "imports": ["$import glob"],
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "window": list(SIZE),
        "network_def": {"_target_": "SegResNet", **ARGUMENTS},
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image", "reader": "$monai.data.NibabelReader"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
                {"_target_": "Resized", "keys": "image", "spatial_size": "@window"},
                {"_target_": "EnsureTyped", "keys": "image"},
            ],
        },
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": "@window", "sw_batch_size": 2, "overlap": 0.25},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing"},
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            ],
        },
        **inference,
    }
    (folder / "configs" / "inference.json").write_text(json.dumps(content))
    return folder


def test_a_bundle_says_what_a_description_says(random_segresnet: Path, tmp_path: Path) -> None:
    place = bundle(random_segresnet, tmp_path / "bundle")
    told = Bundle(place).description().model_dump(exclude={"weights", "sliding"})
    assert told == read_description(random_segresnet / "net.toml").model_dump(exclude={"weights", "sliding"})
    liver, shown = Request("segment", target="liver"), volume((24, 64, 64))
    masks = [made(config).predict([query(liver, shown)])[0].mask for config in (place, random_segresnet / "net.toml")]
    np.testing.assert_array_equal(*masks)


def test_what_volumes_go_through_is_read(random_segresnet: Path, tmp_path: Path) -> None:
    steps = [
        {"_target_": "monai.transforms.Spacingd", "keys": "image", "pixdim": [1.5, 1.5, 2.0]},
        {
            "_target_": "ScaleIntensityRanged",
            "keys": "image",
            "a_min": -57,
            "a_max": 164,
            "b_min": 0,
            "b_max": 1,
            "clip": True,
        },
        {"_target_": "CropForegroundd", "keys": "image", "source_key": "image"},
        {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True},
    ]
    place = bundle(random_segresnet, tmp_path / "bundle", preprocessing={"_target_": "Compose", "transforms": steps})
    taken = Bundle(place).description().input
    assert (taken.spacing, taken.window, taken.range, taken.clip) == ((1.5, 1.5, 2.0), (-57, 164), (0, 1), True)
    assert taken.normalise == "zscore_nonzero"


@pytest.mark.parametrize(
    ("inference", "field", "told"),
    [
        (
            {"network_def": {"_target_": "scripts.net.Mine"}},
            "network_def",
            "code of the bundle: the class scripts.net.Mine",
        ),
        (
            {"network_def": {"_target_": "SegResNet", "out_channels": "$2 + 3"}},
            "network_def",
            r"the expression '\$2 \+ 3'",
        ),
        ({"inferer": {"_target_": "SimpleInferer"}}, "inferer", "not SlidingWindowInferer"),
        (
            {"inferer": {"_target_": "SlidingWindowInferer", "roi_size": "$[1] * 3"}},
            "inferer",
            "expressions are not run",
        ),
        (
            {"preprocessing": {"_target_": "Compose", "transforms": [{"_target_": "RandRotated"}]}},
            "preprocessing",
            "cannot be given the transform RandRotate",
        ),
        (
            {
                "preprocessing": {
                    "_target_": "Compose",
                    "transforms": [
                        {"_target_": "Spacingd", "pixdim": [1, 1, 3]},
                        {"_target_": "Orientationd", "axcodes": "RAS"},
                    ],
                }
            },
            "preprocessing",
            "the transform Orientation comes too late",
        ),
        (
            {
                "preprocessing": {
                    "_target_": "Compose",
                    "transforms": [
                        {"_target_": "NormalizeIntensityd", "nonzero": True},
                        {"_target_": "ScaleIntensityd"},
                    ],
                }
            },
            "preprocessing",
            "the transform ScaleIntensity comes too late",
        ),
        ({"preprocessing": {"_target_": "Compose", "transforms": "$[]"}}, "preprocessing", "expressions are not run"),
        ({"network_def": None}, "network_def", "there is no network_def"),
    ],
)
def test_a_bundle_that_only_code_could_read_is_refused(
    inference: dict[str, Any], field: str, told: str, random_segresnet: Path, tmp_path: Path
) -> None:
    place = bundle(random_segresnet, tmp_path / "bundle", **inference)
    with pytest.raises(UserError, match=told) as caught:
        registry.create("adapters", "monai-seg", {"config": str(place)})
    assert (caught.value.field, caught.value.file) == (field, str(place / "configs" / "inference.json"))
    assert "TOML" in str(caught.value.fix)


def test_a_bundle_in_yaml_is_refused(random_segresnet: Path, tmp_path: Path) -> None:
    place = bundle(random_segresnet, tmp_path / "bundle")
    (place / "configs" / "inference.json").rename(place / "configs" / "inference.yaml")
    with pytest.raises(UserError, match=r"has no configs/inference\.json"):
        registry.create("adapters", "monai-seg", {"config": str(place)})


def test_code_of_a_bundle_runs_only_where_it_is_trusted(random_segresnet: Path, tmp_path: Path) -> None:
    place = bundle(
        random_segresnet, tmp_path / "bundle", network_def={"_target_": "made_here.net.Mine", "filters": "$4 + 4"}
    )
    (place / "made_here").mkdir()
    arguments = {**ARGUMENTS, "init_filters": 8}
    code = "from monai.networks.nets import SegResNet\nclass Mine(SegResNet):\n    def __init__(self, filters):\n"
    code += f"        super().__init__(**{{**{arguments!r}, 'init_filters': filters}})\n"
    (place / "made_here" / "net.py").write_text(code)
    with pytest.raises(UserError, match="code of the bundle") as caught:
        made(place)
    assert "--trust-remote-code" in str(caught.value.fix)
    liver, shown = Request("segment", target="liver"), volume((24, 64, 64))
    trusted, plain = made(place, trust_remote_code="true"), made(random_segresnet / "net.toml")
    masks = [adapter.predict([query(liver, shown)])[0].mask for adapter in (trusted, plain)]
    np.testing.assert_array_equal(*masks)
    code = trusted.facts()["code"]
    (place / "made_here" / "net.py").write_text("# other code")
    assert trusted.facts()["code"] != code
    assert "code" not in plain.facts()
