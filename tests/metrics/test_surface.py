"""HD95 and NSD: equal to MONAI's functions, indifferent to cropping, and what they say of masks they cannot judge."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from m3dbench.metrics import surface
from m3dbench.metrics.core import Metric, Outcome
from m3dbench.metrics.pairs import MaskArray, MaskPair
from m3dbench.metrics.surface_area import CORNERS, Spacing, areas_by_code, neighbour_codes

SHAPE = (6, 8, 7)
SPACING = (5.0, 0.8, 1.3)
SPACINGS: tuple[Spacing, ...] = ((1.0, 1.0, 1.0), SPACING, (0.4, 0.4, 0.4))
EMPTY = np.zeros(SHAPE, dtype=bool)
FULL = np.ones(SHAPE, dtype=bool)
CUBE = EMPTY.copy()
CUBE[1:4, 2:6, 1:5] = True
DIAGONAL = math.hypot(6 * 5.0, 8 * 0.8, 7 * 1.3)

some_mask = hnp.arrays(np.bool_, SHAPE).filter(np.any)
some_spacing = st.tuples(*[st.sampled_from((0.4, 1.0, 2.0, 5.0))] * 3)


def single(*place: int) -> MaskArray:
    mask = EMPTY.copy()
    mask[place] = True
    return mask


def blob(random: np.random.Generator, shape: tuple[int, int, int]) -> MaskArray:
    smooth = ndimage.gaussian_filter(random.standard_normal(shape), 2)
    return np.asarray(smooth > np.quantile(smooth, random.uniform(0.6, 0.97)))


def equal_to_monai(prediction: MaskArray, reference: MaskArray, spacing: Spacing) -> None:
    torch: Any = pytest.importorskip("torch")
    monai: Any = pytest.importorskip("monai.metrics")
    pair = [torch.from_numpy(mask[None, None]) for mask in (prediction, reference)]
    options: dict[str, Any] = {"include_background": True, "spacing": list(spacing)}
    hd95 = float(monai.compute_hausdorff_distance(*pair, percentile=95, **options))
    assert surface.hausdorff_95(prediction, reference, spacing) == pytest.approx(hd95, rel=1e-6, abs=1e-4)
    for tolerance in (0.0, 1.0, 2.0):
        nsd = float(monai.compute_surface_dice(*pair, class_thresholds=[tolerance], use_subvoxels=True, **options))
        assert surface.surface_dice(prediction, reference, spacing, tolerance) == pytest.approx(nsd, abs=2e-6)


PAIRS = {
    "identical": (CUBE, CUBE),
    "disjoint": (single(0, 0, 0), CUBE),
    "single voxels": (single(2, 3, 4), single(2, 4, 4)),
    "opposite corners": (single(0, 0, 0), single(5, 7, 6)),
    "everything and a part": (FULL, CUBE),
    "everything twice": (FULL, FULL),
    "touching borders": (np.arange(6)[:, None, None] * np.ones(SHAPE) < 3, np.arange(7) * np.ones(SHAPE) > 3),
    "one slice": (np.arange(6)[:, None, None] * np.ones(SHAPE) == 2, CUBE),
}


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("name", PAIRS)
def test_equal_to_monai_on_edge_cases(name: str, spacing: Spacing) -> None:
    equal_to_monai(*PAIRS[name], spacing)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_equal_to_monai_on_blobs_and_noise(spacing: Spacing) -> None:
    random = np.random.default_rng(5)
    for _ in range(6):
        equal_to_monai(blob(random, (12, 30, 26)), blob(random, (12, 30, 26)), spacing)
        noise = random.random((2, 9, 14, 11)) < random.uniform(0.01, 0.9)
        equal_to_monai(noise[0], noise[1], spacing)


def test_equal_to_monai_on_real_masks(shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("nibabel", reason="needs m3dbench[data]")
    source = shared / "data" / "totalsegmentator"
    if not source.is_dir():
        pytest.skip("no real masks here")
    from m3dbench.data.convert.converting import convert
    from m3dbench.data.convert.table import load_table
    from m3dbench.data.files import DataFiles
    from m3dbench.data.sample import FileRef

    (tmp_path / "source").mkdir()
    (tmp_path / "source/case_a").symlink_to(source / "case_a")
    (tmp_path / "source/labels.json").symlink_to(source / "labels.json")
    root = tmp_path / "prepared"
    convert(load_table("totalsegmentator"), tmp_path / "source", root, code="real", grid=(32, 128, 128))
    image = next(root.rglob("image.npy"))
    spacing = DataFiles(root).spacing(FileRef(image.relative_to(root).as_posix()))
    assert spacing is not None
    masks = [np.load(path)[0] for path in sorted(image.parent.glob("masks/*.npy"))]
    masks = [mask for mask in masks if mask.any()][:6]
    assert masks
    for mask, other in zip(masks, [*masks[1:], masks[0]], strict=True):
        equal_to_monai(np.roll(mask, (1, 2, -3), axis=(0, 1, 2)), mask, spacing)
        equal_to_monai(other, mask, spacing)


def test_areas_of_all_neighbourhoods_are_monais() -> None:
    pytest.importorskip("torch")
    utils: Any = pytest.importorskip("monai.metrics.utils")
    table, kernel = utils.create_table_neighbour_code_to_surface_area(SPACING)
    weights = kernel.numpy().reshape(2, 2, 2)
    theirs = [int(sum(weights[c] for bit, c in enumerate(CORNERS) if code >> bit & 1)) for code in range(256)]
    assert areas_by_code(SPACING) == pytest.approx(table.numpy()[theirs], rel=1e-6)


@given(some_spacing)
def test_areas_are_those_of_geometry(spacing: Spacing) -> None:
    """A face is the area of a voxel's side; an edge the slant across it; inside out is the same surface."""
    areas = areas_by_code(spacing)
    depth, height, width = spacing
    slab = np.zeros((2, 2, 2), dtype=bool)
    slab[0] = True
    rod = slab.copy()
    rod[0, 1] = False
    assert areas[neighbour_codes(slab).item()] == pytest.approx(height * width)
    assert areas[neighbour_codes(rod).item()] == pytest.approx(width * math.hypot(depth, height) / 2)
    assert areas == pytest.approx(areas[::-1])


@given(some_mask, some_mask, some_spacing, st.tuples(*[st.integers(0, 4)] * 6))
def test_more_empty_space_changes_nothing(p: MaskArray, g: MaskArray, spacing: Spacing, more: tuple[int, ...]) -> None:
    around = [more[:2], more[2:4], more[4:]]
    wide = (np.pad(p, around), np.pad(g, around))
    assert surface.hausdorff_95(*wide, spacing) == surface.hausdorff_95(p, g, spacing)
    assert surface.surface_dice(*wide, spacing, 2.0) == surface.surface_dice(p, g, spacing, 2.0)


@given(some_mask, some_mask, some_spacing)
def test_symmetric_bounded_and_by_either_way_of_search(p: MaskArray, g: MaskArray, spacing: Spacing) -> None:
    distance, share = surface.hausdorff_95(p, g, spacing), surface.surface_dice(p, g, spacing, 2.0)
    assert surface.hausdorff_95(g, p, spacing) == distance
    assert surface.surface_dice(g, p, spacing, 2.0) == pytest.approx(share)
    assert 0 <= share <= 1
    assert 0 <= distance < surface._diagonal(SHAPE, spacing)
    with pytest.MonkeyPatch.context() as patch:
        for cost in (0, 10**9):
            patch.setattr(surface, "_QUERY_COST", cost)
            assert surface.hausdorff_95(p, g, spacing) == pytest.approx(distance)
            assert surface.surface_dice(p, g, spacing, 2.0) == pytest.approx(share)


@given(some_mask, some_spacing)
def test_a_mask_fits_itself(mask: MaskArray, spacing: Spacing) -> None:
    assert surface.hausdorff_95(mask, mask, spacing) == 0
    assert surface.surface_dice(mask, mask, spacing, 0.0) == 1


def test_a_distance_of_exactly_the_tolerance_is_within_it() -> None:
    near, far = np.zeros((2, 1, 1, 9), dtype=bool)
    near[..., 0], far[..., 5] = True, True
    assert surface.surface_dice(near, far, (0.4, 0.4, 0.4), 2.0) == 1.0
    assert surface.surface_dice(near, far, (0.4, 0.4, 0.4), 1.5) < 1.0


def test_each_axis_has_its_own_spacing() -> None:
    for axis, length in enumerate(SPACING):
        place = [1, 1, 1]
        place[axis] += 3
        assert surface.hausdorff_95(single(1, 1, 1), single(*place), SPACING) == pytest.approx(3 * length)


def one(metric: Metric, pair: MaskPair) -> Outcome:
    (outcome,) = metric.outcomes([pair])
    return outcome


def test_nothing_predicted_is_the_diagonal_and_told_so() -> None:
    for nothing in (None, EMPTY):
        outcome = one(surface.hd95(), MaskPair(nothing, CUBE, spacing=SPACING))
        assert outcome.status == "scored"
        assert outcome.statistics == pytest.approx((DIAGONAL, 1.0))
        assert "diagonal" in outcome.reason
        assert one(surface.nsd(), MaskPair(nothing, CUBE, spacing=SPACING)).statistics == (0.0, 1.0)


@pytest.mark.parametrize("metric", [surface.hd95(), surface.nsd()], ids=lambda metric: metric.name)
def test_what_cannot_be_judged(metric: Metric) -> None:
    for prediction in (CUBE, None):
        assert one(metric, MaskPair(prediction, EMPTY, spacing=SPACING)).status == "not_applicable"
        unknown = MaskPair(prediction, CUBE)
        assert (one(metric, unknown).status, one(metric, unknown).reason) == ("unscored", surface.UNKNOWN_SPACING)
        assert metric.worst_statistics(unknown) is None
    misshapen = MaskPair(np.ones((2, 2, 2), dtype=bool), CUBE, spacing=SPACING)
    outcome = one(metric, misshapen)
    assert (outcome.status, outcome.statistics) == ("failed", metric.worst_statistics(misshapen))


def test_signatures_state_the_options() -> None:
    assert "2 mm" in surface.nsd().signature
    assert "1.5 mm" in surface.nsd(tolerance_mm=1.5).signature
    assert "diagonal" in surface.hd95().signature
    assert surface.hd95().bounds == (0.0, math.inf)
    with pytest.raises(ValueError, match="tolerance_mm"):
        surface.nsd(tolerance_mm=-1)
