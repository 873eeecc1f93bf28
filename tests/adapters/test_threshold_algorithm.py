"""The classical segmentation: intensity scales, axis directions, names, and how well it does on real CT and phantom."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from m3dbench.adapters.threshold.algorithm import has_rule, named_in, segment, segment_in, study
from m3dbench.adapters.threshold.anatomy import Anatomy
from m3dbench.adapters.threshold.levels import find_levels
from m3dbench.data.convert.place import place_scan
from m3dbench.data.geometry import Geometry, to_grid
from m3dbench.data.raw import read_scan
from m3dbench.data.raw.nifti import read_labels

SHARED = Path(os.environ.get("M3DBENCH_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "totalsegmentator"
Volume = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
WINDOW = (-1024.0, 1500.0)
BONES = ("vertebrae", "rib_", "hip", "sacrum", "femur", "sternum")

real = pytest.mark.skipif(not (SHARED / "case_b" / "ct.nii.gz").is_file(), reason="no real CT (M3DBENCH_SHARED)")


def dice(first: Bools | None, second: Bools) -> float:
    return 0.0 if first is None else float(2 * (first & second).sum() / (first.sum() + second.sum()))


def toy() -> tuple[Volume, dict[str, Bools]]:
    """HU (24, 64, 64), axes "SAR": a trunk with two lungs, a spine, ribs, a liver on the patient's right."""
    generator = np.random.default_rng(5)
    d, h, w = np.meshgrid(np.arange(24), np.arange(64), np.arange(64), indexing="ij")
    hu = np.full(d.shape, -1000.0)
    radius = ((h - 32) / 24) ** 2 + ((w - 32) / 29) ** 2
    hu[radius < 1] = -105
    hu[radius < 0.82] = 45
    parts = {
        "spine": ((h - 16) / 5) ** 2 + ((w - 32) / 5) ** 2 < 1,
        "rib": (radius < 0.8) & (radius > 0.72) & (d % 6 < 2) & (h < 44) & ((h - 16) ** 2 + (w - 32) ** 2 > 120),
    }
    for side, middle in (("left", 18), ("right", 46)):
        parts[f"lung {side}"] = (((h - 30) / 12) ** 2 + ((w - middle) / 9) ** 2 < 1) & (d >= 15)
        hu[parts[f"lung {side}"]] = -820
    parts["liver"] = (((h - 34) / 11) ** 2 + ((w - 43) / 10) ** 2 + ((d - 8) / 6.5) ** 2 < 1) & (d < 15)
    hu[(radius < 0.62) & (d < 15)] = -105
    hu[parts["liver"]] = 60
    hu[parts["spine"] | parts["rib"]] = 420
    return (hu + generator.normal(0, 8, hu.shape)).astype(np.float32), parts


def scaled(hu: Volume, low: float, high: float) -> Volume:
    return np.asarray(np.clip((hu - low) / (high - low), 0, 1), dtype=np.float32)


@pytest.mark.parametrize("window", [(-1024.0, 1500.0), (-1100.0, 3000.0), (-350.0, 900.0), (-200.0, 300.0)])
def test_hounsfield_units_are_found_in_any_window(window: tuple[float, float]) -> None:
    hu, _ = toy()
    levels = find_levels(scaled(hu, *window))
    assert levels is not None
    values = levels.hu(scaled(np.array([-100.0, 60.0, 250.0], dtype=np.float32), *window))
    assert np.allclose(values, [-100, 60, 250], atol=45)


@pytest.mark.parametrize("window", [(-1024.0, 1500.0), (-350.0, 900.0)])
def test_the_toy_trunk(window: tuple[float, float]) -> None:
    hu, parts = toy()
    anatomy = study(scaled(hu, *window))
    assert anatomy is not None
    assert anatomy.axes == "SAR"
    lungs = parts["lung left"] | parts["lung right"]
    assert dice(segment_in(anatomy, "lungs"), lungs) > 0.9
    assert dice(segment_in(anatomy, "left lung"), parts["lung left"]) > 0.9
    assert dice(segment_in(anatomy, "lung lower lobe right"), parts["lung right"]) > 0.9
    assert dice(segment_in(anatomy, "bone"), parts["spine"] | parts["rib"]) > 0.8
    assert dice(segment_in(anatomy, "spine"), parts["spine"]) > 0.8
    assert dice(segment_in(anatomy, "liver"), parts["liver"]) > 0.8


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, -1, -1), (1, -1, -1), (-1, 1, 1)])
def test_masks_follow_the_axes_of_the_volume(flips: tuple[int, int, int]) -> None:
    hu, parts = toy()
    turn = tuple(slice(None, None, flip) for flip in flips)
    volume = scaled(hu, *WINDOW)[turn]
    mask = segment(volume, "left lung")
    assert mask is not None
    assert mask.shape == volume.shape
    assert dice(mask[turn], parts["lung left"]) > 0.9


def test_given_axes_and_window_are_believed() -> None:
    hu, parts = toy()
    mask = segment(scaled(hu, *WINDOW), "lung left", hu_window=WINDOW, axes="SAL")
    assert dice(mask, parts["lung right"]) > 0.9


def test_the_same_volume_gives_the_same_mask_in_any_order() -> None:
    hu, _ = toy()
    volume = scaled(hu, *WINDOW)
    first, second = study(volume), study(volume)
    assert first is not None
    assert second is not None
    names = ["kidney left", "liver", "lung", "bone", "spleen"]
    forward = {name: segment_in(first, name) for name in names}
    backward = {name: segment_in(second, name) for name in reversed(names)}
    for name in names:
        one, other = forward[name], backward[name]
        assert (one is None) == (other is None)
        assert one is None or (other is not None and np.array_equal(one, other))


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Left Kidney", True),
        ("kidney_left", True),
        ("lungs", True),
        ("lung upper lobe left", True),
        ("right lower lobe of lung", True),
        ("vertebrae L1", True),
        ("T12 vertebra", True),
        ("thoracic spine T5", True),
        ("hip left", True),
        ("postcava", True),
        ("liver tumor", False),
        ("kidney cyst left", False),
        ("lung nodule", False),
        ("rib left 3", False),
        ("pancreas", False),
        ("", False),
        ("lumbar", False),
    ],
)
def test_names(name: str, known: bool) -> None:
    assert has_rule(name) is known


@pytest.mark.parametrize("name", ["liver tumor", "rib left 3", "", "lungs", "bone", "vertebrae L1", "aorta", "kidney"])
@pytest.mark.parametrize("kind", ["noise", "blank", "tiny", "steps"])
def test_no_volume_makes_it_fail(name: str, kind: str) -> None:
    generator = np.random.default_rng(1)
    volumes = {
        "noise": generator.random((8, 16, 16)),
        "blank": np.zeros((8, 16, 16)),
        "tiny": generator.random((1, 2, 3)),
        "steps": np.repeat(np.arange(4.0), 64).reshape(4, 8, 8),
    }
    volume = volumes[kind].astype(np.float32)
    mask = segment(volume, name)
    assert mask is None or mask.shape == volume.shape


@cache
def real_case(case: str) -> tuple[Anatomy, dict[str, Bools], Geometry]:
    pytest.importorskip("nibabel", reason="needs m3dbench[data]")
    scan = read_scan(SHARED / case / "ct.nii.gz")
    labels = read_labels(SHARED / case / "labels.nii.gz", scan)
    geometry, image = place_scan(scan, (32, 256, 256))
    table = {name: int(key) for key, name in json.loads((SHARED / "labels.json").read_text()).items()}
    groups = {"lung": ("lung_",), "bone": BONES, "liver": ("liver",), "spleen": ("spleen",)}
    parts = {
        name: to_grid(np.isin(labels, [key for text, key in table.items() if text.startswith(starts)]), geometry)[0]
        for name, starts in groups.items()
    }
    anatomy = study(image)
    assert anatomy is not None
    return anatomy, parts, geometry


@real
@pytest.mark.parametrize("case", ["case_a", "case_b"])
@pytest.mark.parametrize(("name", "least"), [("lung", 0.9), ("bone", 0.8), ("liver", 0.85), ("spleen", 0.8)])
def test_real_ct(case: str, name: str, least: float) -> None:
    anatomy, parts, _ = real_case(case)
    assert anatomy.axes == "SAR"
    assert dice(segment_in(anatomy, name), parts[name]) > least


@real
def test_real_ct_has_no_heart_in_view() -> None:
    assert segment_in(real_case("case_b")[0], "heart") is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Please segment the cyst in the middle third of the left kidney.", "the left kidney"),
        ("Where is the LIVER? Mark it.", "the liver"),
        ("The main artery of the body.", ""),
        ("Something in the largest abdominal gland is not as it should be.", ""),
        ("", ""),
    ],
)
def test_organ_names_are_found_in_sentences(text: str, name: str) -> None:
    assert named_in(text) == name
