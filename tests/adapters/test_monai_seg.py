"""Any MONAI network: trained here on phantom cases, described, run; axes, HU, labels, bundles, and what is refused."""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from dataclasses import replace
from importlib import util
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from torch.nn import functional

from m3dbench import registry
from m3dbench.adapter import Context, Query
from m3dbench.adapters.checkpoints import Placement
from m3dbench.adapters.monai_seg.adapter import MonaiSeg
from m3dbench.adapters.monai_seg.bundle import Bundle
from m3dbench.adapters.monai_seg.description import Input, Network, Weights, describe, read_description
from m3dbench.adapters.monai_seg.labels import LabelTable
from m3dbench.adapters.monai_seg.network import built, loaded, network_class
from m3dbench.adapters.monai_seg.volumes import NO_SPACING, Axes, seen
from m3dbench.data.geometry import Geometry
from m3dbench.data.sample import Request
from m3dbench.errors import UserError

FP32 = Placement("cpu", "fp32")
SIZE = (24, 24, 12)
CLASSES = ("liver", "kidney", "spleen", "pancreas")
ARGUMENTS: dict[str, Any] = {
    "init_filters": 8,
    "in_channels": 1,
    "out_channels": 5,
    "blocks_down": [1, 1],
    "blocks_up": [1],
    "norm": ["GROUP", {"num_groups": 4}],
}
TOML = """
[network]
class = "SegResNet"
arguments = { init_filters = 8, in_channels = 1, out_channels = 5, blocks_down = [1, 1], blocks_up = [1], norm = ["GROUP", { num_groups = 4 }] }

[weights]
file = "model.pt"

[labels]
liver = 1
kidney = 2
spleen = 3
pancreas = 4

[input]
orientation = "RAS"
size = [24, 24, 12]

[sliding]
size = [24, 24, 12]
"""
GEOMETRY = Geometry(
    native_shape=(4, 6, 5),
    native_affine=((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0)),
    native_axes="RAS",
    orientation=((0, False), (1, False), (2, False)),
    crop=((0, 4), (0, 6), (0, 5)),
    grid=(4, 6, 5),
    spacing_mm=(6.0, 3.0, 2.0),
    hu_window=(-100.0, 300.0),
)


def volume(grid: tuple[int, int, int] = (4, 6, 5)) -> np.ndarray:
    return np.random.default_rng(0).random((1, *grid), dtype=np.float32)


def train_cases(phantom: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Volumes (N, 1, X, Y, Z) and label maps (N, X, Y, Z) of the phantom's train split, in RAS, at a small size."""
    root = phantom / "M3D_Seg_npy"
    masks: dict[str, list[str]] = {}
    for item in json.loads((root / "0003" / "0003.json").read_text())["train"]:
        masks.setdefault(item["image"], []).append(item["label"])
    images, maps = [], []
    for image, files in masks.items():
        scan = np.load(root / image)[0]
        labels = np.zeros(scan.shape, dtype=np.float32)
        for file in files:
            mask = np.load(root / file)[0]
            if mask.shape == scan.shape:
                labels[mask] = int(Path(file).stem.split("_")[1]) + 1
        # stored from head to feet, front to back, right to left
        images.append(np.ascontiguousarray(scan[::-1, ::-1, ::-1].transpose(2, 1, 0)))
        maps.append(np.ascontiguousarray(labels[::-1, ::-1, ::-1].transpose(2, 1, 0)))
    stacked, labelled = (torch.from_numpy(np.stack(arrays))[:, None] for arrays in (images, maps))
    small = functional.interpolate(stacked, size=SIZE, mode="trilinear")
    return small, functional.interpolate(labelled, size=SIZE, mode="nearest")[:, 0].long()


@pytest.fixture(scope="module")
def trained(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SegResNet trained for 40 steps, as MONAI's users train one, with its description."""
    from monai.networks.nets import SegResNet

    torch.set_num_threads(1)
    torch.manual_seed(0)
    images, labels = train_cases(phantom)
    network = SegResNet(**ARGUMENTS)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    weights = torch.tensor([0.3, 1, 1, 1, 1])
    for _ in range(40):
        chosen = torch.randint(len(images), (2,))
        loss = functional.cross_entropy(network(images[chosen]), labels[chosen], weight=weights)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    folder = tmp_path_factory.mktemp("trained")
    torch.save(network.state_dict(), folder / "model.pt")
    (folder / "liver.toml").write_text(TOML)
    return folder


def made(config: Path, **options: Any) -> MonaiSeg:
    adapter: MonaiSeg = registry.create("adapters", "monai-seg", {"config": str(config), **options})
    adapter.prepare(Context("task", "mask", 0, train=lambda: iter(())))
    return adapter


def query(request: Request, shown: np.ndarray, geometry: Geometry | None = None) -> Query:
    depth, height, width = shown.shape[-3:]
    return Query("a", "case", request, lambda: shown, lambda: (depth, height, width), lambda: geometry)


# The way from training to a score


def test_a_trained_network_runs_its_tasks_and_finds_the_liver(
    trained: Path, phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, since a second import of MONAI would take longer than all the rest."""
    from m3dbench.cli.main import main

    call = ["m3dbench", "run", "--model", "monai-seg", "-o", f"config={trained / 'liver.toml'}", "--task", "all"]
    call += ["--limit", "5", "--datasets", "0003", "--scoring", "corrected", "--data", str(phantom)]
    monkeypatch.setattr("sys.argv", [*call, "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "names no class of the network's label table" in capsys.readouterr().out
    tasks = json.loads((tmp_path / "run" / "run.json").read_text())["tasks"]
    assert set(tasks) == {"rec", "seg_semantic", "seg_referring"}
    for name in tasks:
        predictions = json.loads((tmp_path / "run" / name / "summary.json").read_text())["tasks"][name]["predictions"]
        assert predictions["ok"] + predictions["refused"] == 5
        assert predictions["ok"] >= {"rec": 3, "seg_semantic": 5, "seg_referring": 0}[name]
    facts = tasks["rec"]["facts"]["resume"]["model_facts"]
    assert facts["description"]["network"]["class"] == "SegResNet"
    assert {"torch", "monai"} <= set(facts["libraries"])
    lines = (tmp_path / "run" / "seg_semantic" / "scores.jsonl").read_text().splitlines()
    livers = [row for row in map(json.loads, lines) if row["id"].endswith("/0") and row["metric"] == "dice"]
    assert len(livers) == 2
    assert all(row["value"] > 0.4 for row in livers), "an empty mask has a Dice of 0"


def test_one_pass_answers_all_questions_on_a_volume(trained: Path) -> None:
    adapter = made(trained / "liver.toml")
    shown = volume((24, 64, 64))
    answers = adapter.predict([query(Request("segment", target=name), shown) for name in CLASSES])
    assert adapter._runner is not None and adapter._runner.results.computed == 1
    masks = [answer.mask for answer in answers]
    assert all(mask is not None and mask.shape == (24, 64, 64) and mask.dtype == np.bool_ for mask in masks)
    assert np.stack([mask for mask in masks if mask is not None]).sum(0).max() <= 1, "classes exclude each other"
    (refused,) = adapter.predict([query(Request("segment", target="brain"), shown)])
    assert (refused.status, refused.reason) == ("refused", "the network's label table has no class 'brain'")


def test_channels_that_do_not_exclude_each_other_give_probabilities(trained: Path, tmp_path: Path) -> None:
    text = 'activation = "sigmoid"\n' + TOML.replace('"model.pt"', f'"{trained / "model.pt"}"')
    (tmp_path / "net.toml").write_text(text.replace("kidney = 2", 'kidney = 2\n"abdominal organ" = [1, 2, 3]'))
    adapter = made(tmp_path / "net.toml")
    shown = volume((24, 64, 64))
    names = ("liver", "kidney", "spleen", "abdominal organ")
    *parts, union = [adapter.predict([query(Request("segment", target=name), shown)])[0].mask for name in names]
    assert union is not None and union.dtype == np.float32
    np.testing.assert_array_equal(union, np.maximum.reduce([part for part in parts if part is not None]))


# What the network is given


def test_axes_turn_as_nibabels_orientations_do() -> None:
    image = volume()
    codes = ["".join(code) for order in permutations(("RL", "AP", "SI")) for code in product(*order)]
    for stored, wanted in product(codes, ("RAS", "LPS", "SAR", "IPL")):
        axes = Axes.of(stored, wanted)
        turned = axes.to_network(torch.from_numpy(image)[None])
        change = nib.orientations.ornt_transform(*(nib.orientations.axcodes2ornt(code) for code in (stored, wanted)))
        expected = nib.orientations.apply_orientation(image[0], change)
        np.testing.assert_array_equal(turned[0, 0].numpy(), expected)
        np.testing.assert_array_equal(axes.to_stored(turned[0, 0]).numpy(), image[0])


def test_hu_are_recovered_and_windowed() -> None:
    image = np.full((1, 4, 6, 5), 0.5, dtype=np.float32)
    image[0, 0, 0, 0] = 0
    taken = seen(image, GEOMETRY, Input(window=(0, 200), range=(-1, 1))).image
    assert (float(taken.max()), float(taken.min())) == (0.0, -1.0)  # 100 HU, and -100 HU clipped
    wide = seen(image, GEOMETRY, Input(window=(0, 200), clip=False)).image
    assert float(wide.min()) == -0.5
    with pytest.raises(UserError, match="wants HU, and the data set does not say") as caught:
        seen(image, None, Input(window=(0, 200)))
    assert caught.value.field == "input.window"
    assert "values=stored" in str(caught.value.fix)


def test_stored_values_may_stand_for_hu(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(TOML.replace("[sliding]", "window = [-200, 400]\n\n[sliding]"))
    asked = query(Request("segment", target="liver"), volume((24, 64, 64)))
    weights = {"weights": str(trained / "model.pt")}
    with pytest.raises(UserError, match="wants HU"):
        made(tmp_path / "net.toml", **weights).predict([asked])
    (answer,) = made(tmp_path / "net.toml", values="stored", **weights).predict([asked])
    np.testing.assert_array_equal(answer.mask, made(trained / "liver.toml").predict([asked])[0].mask)


def test_spacing_is_in_the_networks_axes_and_undone() -> None:
    taken = seen(volume(), GEOMETRY, Input(spacing=(1.0, 3.0, 2.0)))
    assert taken.image.shape == (1, 1, 10, 6, 12)
    assert [tuple(one.shape) for one in taken.back(torch.zeros(1, 2, 10, 6, 12))] == [(4, 6, 5)] * 2
    unknown = seen(volume(), None, Input(spacing=(1.0, 3.0, 2.0)))
    assert (unknown.image.shape, unknown.notes) == ((1, 1, 5, 6, 4), (NO_SPACING,))


@pytest.mark.parametrize("normalise", ["minmax", "zscore", "zscore_nonzero"])
def test_values_are_normalised_as_monai_does(normalise: Any) -> None:
    from monai.transforms import NormalizeIntensity, ScaleIntensity

    image = volume()
    image[0, :2] = 0
    taken = seen(image, GEOMETRY, Input(orientation="SAR", normalise=normalise)).image[0]
    transform = ScaleIntensity() if normalise == "minmax" else NormalizeIntensity(nonzero=normalise != "zscore")
    torch.testing.assert_close(taken, torch.as_tensor(transform(image)), atol=1e-5, rtol=1e-5)


def test_another_geometry_is_another_result(trained: Path) -> None:
    adapter = made(trained / "liver.toml")
    liver, shown = Request("segment", target="liver"), volume((24, 64, 64))
    other = replace(GEOMETRY, axes_code="IPL", grid=(24, 64, 64))
    adapter.predict([query(liver, shown), query(liver, shown, other), query(liver, shown)])
    assert adapter._runner is not None and adapter._runner.results.computed == 2


@pytest.mark.parametrize("size", [(8, 20, 9), (4, 6, 5), (3, 13, 16)])
def test_segvols_windows_are_monais(size: tuple[int, int, int]) -> None:
    from monai.inferers import sliding_window_inference

    from m3dbench.adapters.segvol import zoom

    ramp = torch.linspace(0, 1, 4 * 8 * 6).view(1, 1, 4, 8, 6)
    image = torch.from_numpy(volume(size))[None]
    expected = sliding_window_inference(image, (4, 8, 6), 1, lambda one: one * ramp + ramp, overlap=zoom.OVERLAP)
    torch.testing.assert_close(zoom.slide(image, (4, 8, 6), lambda one: one * ramp + ramp), expected)


# Labels


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("liver", "liver"),
        ("Liver", "liver"),
        ("kidney left", "left kidney"),
        ("suprarenal gland", "adrenal gland"),
        ("kidney", None),
        ("brain", None),
    ],
)
def test_a_target_is_found_by_accepted_names(target: str, name: str | None) -> None:
    table = LabelTable(("liver", "left kidney", "right kidney", "adrenal gland"))
    assert table.asked(Request("segment", target=target)) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Where is the liver?", "liver"),
        ("The left kidney filters blood.", "left kidney"),
        ("It lies between the liver and the spleen.", None),
        ("The largest organ of the abdomen.", None),
        ("delivered", None),
    ],
)
def test_a_text_is_answered_when_it_names_one_class(text: str, name: str | None) -> None:
    table = LabelTable(("liver", "kidney", "left kidney", "spleen"))
    assert table.asked(Request("segment", description=text)) == name
    assert table.asked(Request("locate", question=text)) == name


# Checkpoints


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


def test_weights_that_do_not_fit_are_named(trained: Path, tmp_path: Path) -> None:
    saved = torch.load(trained / "model.pt", weights_only=True)
    saved["conv_final.2.conv.weight"] = torch.zeros(3, 8, 1, 1, 1)
    saved["head.weight"] = saved.pop("convInit.conv.weight")
    torch.save(saved, tmp_path / "model.pt")
    (tmp_path / "net.toml").write_text(TOML)
    with pytest.raises(UserError, match="not the weights of SegResNet") as caught:
        made(tmp_path / "net.toml")
    for told in ("1 missing (convInit.conv.weight)", "1 unexpected (head.weight)", "conv_final.2.conv.weight (3, 8"):
        assert told in caught.value.message
    assert caught.value.file == str(tmp_path / "model.pt")


# Wrong descriptions


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
        ("liver = 1", "liver = []", "labels", "'liver' has no name or no channel"),
        ("liver = 1", "liver = 9", "labels", "output channels are 0 to 4, and the label table names 9"),
        ('orientation = "RAS"', 'orientation = "RAX"', "input.orientation", "one letter each of R or L"),
        ('orientation = "RAS"', "window = [100, 50]", "input", "is empty"),
        ('orientation = "RAS"', "spacing = [1, 1, 1]", "input", "spacing or size, not both"),
        ('orientation = "RAS"', "colour = 1", "input.colour", "there is no field 'colour'"),
        ("[sliding]\nsize = [24, 24, 12]", "[sliding]\nsize = [24, 24]", "sliding.size.2", "it is missing"),
        ("kidney = 2", "kidney = ", None, "is not valid TOML"),
    ],
)
def test_a_wrong_description_is_named_by_file_and_field(
    old: str, new: str, field: str | None, told: str, trained: Path, tmp_path: Path
) -> None:
    assert old in TOML
    (tmp_path / "model.pt").symlink_to(trained / "model.pt")
    (tmp_path / "net.toml").write_text(TOML.replace(old, new, 1))
    with pytest.raises(UserError, match=told) as caught:
        made(tmp_path / "net.toml")
    assert caught.value.field == field
    assert caught.value.fix
    if "channels are" not in told:
        assert caught.value.file == str(tmp_path / "net.toml")


def test_without_monai_the_extra_is_named(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = util.find_spec
    monkeypatch.setattr(
        "m3dbench.adapters.monai_seg.adapter.find_spec", lambda name: None if name == "monai" else find(name)
    )
    with pytest.raises(UserError) as caught:
        registry.create("adapters", "monai-seg", {"config": str(trained / "liver.toml")})
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


# Bundles


def bundle(trained: Path, folder: Path, **inference: Any) -> Path:
    """A bundle around the trained network, with what those of the model zoo have around theirs."""
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "models" / "model.pt").symlink_to(trained / "model.pt")
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


def test_a_bundle_says_what_a_description_says(trained: Path, tmp_path: Path) -> None:
    place = bundle(trained, tmp_path / "bundle")
    told = Bundle(place).description().model_dump(exclude={"weights", "sliding"})
    assert told == read_description(trained / "liver.toml").model_dump(exclude={"weights", "sliding"})
    liver, shown = Request("segment", target="liver"), volume((24, 64, 64))
    masks = [made(config).predict([query(liver, shown)])[0].mask for config in (place, trained / "liver.toml")]
    np.testing.assert_array_equal(*masks)


def test_what_volumes_go_through_is_read(trained: Path, tmp_path: Path) -> None:
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
    place = bundle(trained, tmp_path / "bundle", preprocessing={"_target_": "Compose", "transforms": steps})
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
        ({"preprocessing": {"_target_": "Compose", "transforms": "$[]"}}, "preprocessing", "expressions are not run"),
        ({"network_def": None}, "network_def", "there is no network_def"),
    ],
)
def test_a_bundle_that_only_code_could_read_is_refused(
    inference: dict[str, Any], field: str, told: str, trained: Path, tmp_path: Path
) -> None:
    place = bundle(trained, tmp_path / "bundle", **inference)
    with pytest.raises(UserError, match=told) as caught:
        registry.create("adapters", "monai-seg", {"config": str(place)})
    assert (caught.value.field, caught.value.file) == (field, str(place / "configs" / "inference.json"))
    assert "TOML" in str(caught.value.fix)


def test_a_bundle_in_yaml_is_refused(trained: Path, tmp_path: Path) -> None:
    place = bundle(trained, tmp_path / "bundle")
    (place / "configs" / "inference.json").rename(place / "configs" / "inference.yaml")
    with pytest.raises(UserError, match=r"has no configs/inference\.json"):
        registry.create("adapters", "monai-seg", {"config": str(place)})


def test_the_pages_descriptions_are_valid() -> None:
    page = Path(__file__).parents[2] / "docs" / "model-monai-seg.md"
    blocks = re.findall(r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) == 2
    for block in blocks:
        described = describe(tomllib.loads(block), page)
        assert set(described.network.arguments) <= set(inspect.signature(network_class("SwinUNETR", page)).parameters)


def test_code_of_a_bundle_runs_only_where_it_is_trusted(trained: Path, tmp_path: Path) -> None:
    place = bundle(trained, tmp_path / "bundle", network_def={"_target_": "made_here.net.Mine", "filters": "$4 + 4"})
    (place / "made_here").mkdir()
    arguments = {**ARGUMENTS, "init_filters": 8}
    code = "from monai.networks.nets import SegResNet\nclass Mine(SegResNet):\n    def __init__(self, filters):\n"
    code += f"        super().__init__(**{{**{arguments!r}, 'init_filters': filters}})\n"
    (place / "made_here" / "net.py").write_text(code)
    with pytest.raises(UserError, match="code of the bundle") as caught:
        made(place)
    assert "--trust-remote-code" in str(caught.value.fix)
    liver, shown = Request("segment", target="liver"), volume((24, 64, 64))
    trusted, plain = made(place, trust_remote_code="true"), made(trained / "liver.toml")
    masks = [adapter.predict([query(liver, shown)])[0].mask for adapter in (trusted, plain)]
    np.testing.assert_array_equal(*masks)
    code = trusted.facts()["code"]
    (place / "made_here" / "net.py").write_text("# other code")
    assert trusted.facts()["code"] != code
    assert "code" not in plain.facts()
