"""Boxes: conventions, text, and the metrics over them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3dbench.metrics import boxes
from m3dbench.metrics.absence import states_absence
from m3dbench.metrics.box_convention import M3D, BoxConvention
from m3dbench.metrics.box_text import box_from_text, box_to_text, upstream_box_from_text
from m3dbench.metrics.boxes import box_iou, mask_to_box, upstream_box_iou, upstream_box_of_mask
from m3dbench.metrics.core import Metric, Outcome
from m3dbench.metrics.pairs import Box, BoxPair

GRID = (32, 256, 256)
SMALL = (4, 5, 6)
METRICS = [
    boxes.iou(),
    boxes.acc_20(),
    boxes.acc_25(),
    boxes.acc_50(),
    boxes.presence_sensitivity(),
    boxes.presence_specificity(),
    boxes.upstream_iou(),
    boxes.upstream_acc(),
]
CONVENTIONS = [
    BoxConvention("".join(axes), unit, upper, form)
    for axes in (*itertools.permutations("dhw"), *itertools.permutations("xyz"))
    for unit in ("fraction", "voxel", "per_1000")
    for upper in ("inclusive", "exclusive")
    for form in ("corners", "center_size")
]


@st.composite
def voxel_boxes(draw: st.DrawFn, grid: tuple[int, int, int] = SMALL) -> tuple[slice, slice, slice]:
    sides = []
    for size in grid:
        low = draw(st.integers(0, size - 1))
        sides.append(slice(low, draw(st.integers(low + 1, size))))
    return sides[0], sides[1], sides[2]


def _mask(where: tuple[slice, slice, slice], grid: tuple[int, int, int] = SMALL) -> np.ndarray:
    mask = np.zeros(grid, dtype=bool)
    mask[where] = True
    return mask


def _box(where: tuple[slice, slice, slice], grid: tuple[int, int, int] = SMALL) -> Box:
    box = mask_to_box(_mask(where, grid))
    assert box is not None
    return box


def _one(metric: Metric, pair: BoxPair) -> Outcome:
    (outcome,) = metric.outcomes([pair])
    return outcome


fractions = st.floats(0, 1, allow_subnormal=False)
any_box = st.tuples(*[fractions] * 6)
grids = st.tuples(*[st.integers(1, 600)] * 3)


class TestConvention:
    @given(st.sampled_from(CONVENTIONS), any_box, grids)
    def test_there_and_back(self, convention: BoxConvention, box: Box, grid: tuple[int, int, int]) -> None:
        values = convention.from_canonical(box, grid)
        assert convention.to_canonical(values, grid) == pytest.approx(box, abs=1e-12)
        again = convention.from_canonical(convention.to_canonical(box, grid), grid)
        assert again == pytest.approx(box, rel=1e-9, abs=1e-9)

    def test_examples(self) -> None:
        box = _box((slice(1, 3), slice(0, 5), slice(2, 3)))
        assert M3D.from_canonical(box, SMALL) == pytest.approx((1 / 4, 0, 2 / 6, 2 / 4, 4 / 5, 2 / 6))
        voxels = BoxConvention("xyz", "voxel", "exclusive")
        assert voxels.from_canonical(box, SMALL) == pytest.approx((2, 0, 1, 3, 5, 3))
        assert BoxConvention("whd", "voxel").from_canonical(box, SMALL) == voxels.from_canonical(box, SMALL)
        thousand = BoxConvention("dhw", "per_1000", "exclusive", "center_size")
        assert thousand.from_canonical(box, SMALL) == pytest.approx((500, 500, 2500 / 6, 500, 1000, 1000 / 6))

    @pytest.mark.parametrize("axes", ["", "dh", "dhwd", "dhx", "ddh", "DHW"])
    def test_rejects_axes(self, axes: str) -> None:
        with pytest.raises(ValueError, match="permutation"):
            BoxConvention(axes)

    def test_rejects_values_and_grids(self) -> None:
        for values in ((0.0,) * 5, (0.0, 0, 0, 1, 1, float("nan")), (0.0, 0, 0, 1, 1, float("inf"))):
            with pytest.raises(ValueError, match="six finite"):
                M3D.to_canonical(values, GRID)
        with pytest.raises(ValueError, match="three positive"):
            M3D.to_canonical((0.0,) * 6, (0, 1, 1))


class TestMaskToBox:
    @given(voxel_boxes())
    def test_bounds_are_half_open(self, where: tuple[slice, slice, slice]) -> None:
        expected = [side.start / size for side, size in zip(where, SMALL, strict=True)]
        expected += [side.stop / size for side, size in zip(where, SMALL, strict=True)]
        assert _box(where) == pytest.approx(tuple(expected))

    def test_no_voxel_no_box(self) -> None:
        assert mask_to_box(np.zeros(SMALL, dtype=bool)) is None
        assert upstream_box_of_mask(np.zeros(SMALL, dtype=bool)) is None

    def test_scattered_voxels(self) -> None:
        mask = np.zeros(SMALL, dtype=bool)
        mask[0, 4, 2] = mask[3, 1, 2] = True
        assert mask_to_box(mask) == pytest.approx((0, 1 / 5, 2 / 6, 1, 1, 3 / 6))
        assert upstream_box_of_mask(mask) == (0, 0.2, 0.333, 0.75, 0.8, 0.333)

    def test_needs_three_axes(self) -> None:
        with pytest.raises(ValueError, match="three axes"):
            mask_to_box(np.ones((1, 2, 2, 2), dtype=bool))


class TestText:
    @given(voxel_boxes(GRID))
    def test_a_perfect_answer_comes_back_exactly(self, where: tuple[slice, slice, slice]) -> None:
        box = _box(where, GRID)
        answer = box_from_text(f"It is {box_to_text(box, GRID)}.", grid=GRID)
        assert answer.box == pytest.approx(box, abs=1e-12)
        assert answer.box is not None
        assert box_iou(answer.box, box) == pytest.approx(1)

    @given(voxel_boxes(GRID))
    def test_text_of_a_mask_is_what_upstream_reads(self, where: tuple[slice, slice, slice]) -> None:
        mask = _mask(where, GRID)
        assert upstream_box_from_text(box_to_text(_box(where, GRID), GRID)) == upstream_box_of_mask(mask)

    def test_writing(self) -> None:
        assert box_to_text((0, 0, 0, 1, 1, 0.5), (4, 5, 8)) == "<bx_start>[0.0, 0.0, 0.0, 0.75, 0.8, 0.375]<bx_end>"

    @pytest.mark.parametrize(
        "text",
        [
            "[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]",
            "[0.1,0.2,0.3,0.4,0.5,0.6]",
            "[ 0.1 , 0.2 ,\n0.3, 0.4, 0.5, 0.6 ]",
            "(0.1, 0.2, 0.3, 0.4, 0.5, 0.6)",
            "<bx_start>[.1, .2, .3, .4, .5, .6]<bx_end>",
            "[1e-1, 2E-1, +0.3, 0.40, 0.5, 0.6]",
            "[9, 9, 9] [0.1, 0.2, 0.3, 0.4, 0.5] then [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]",
            "not [0, 0, 0, 1, 1, 1] but <bx_start> [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]",
        ],
    )
    def test_reads(self, text: str) -> None:
        answer = box_from_text(text, convention=BoxConvention())
        assert answer.box == pytest.approx((0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
        assert answer.reason == ""

    @pytest.mark.parametrize("text", ["[0, 0., 0, 1, 1.0, 1]", "[-0.005, 0, 0, 1.005, 1, 1]"])
    def test_clips_to_the_volume(self, text: str) -> None:
        assert box_from_text(text).box == (0, 0, 0, 1, 1, 1)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "no six"),
            ("Sorry, there is no liver.", "no six"),
            ("[0.1, 0.2, 0.3, 0.4, 0.5]", "no six"),
            ("[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]", "no six"),
            ("0.1, 0.2, 0.3, 0.4, 0.5, 0.6", "no six"),
            ("[0.1, 0.2, 0.3, 0.4, 0.5, 0.6)", "no six"),
            ("[nan, 0.2, 0.3, 0.4, 0.5, 0.6]", "finite"),
            ("[0, 0.2, 0.3, 0.4, 0.5, inf]", "finite"),
            ("[0, 0.2, 0.3, 0.4, 0.5, 1e999]", "finite"),
            ("[0.6, 0.6, 0.6, 0.1, 0.1, 0.1]", "below"),
            ("[-0.1, 0.2, 0.3, 0.4, 0.5, 0.6]", "outside"),
            ("[0.1, 0.2, 0.3, 0.4, 0.5, 60]", "outside"),
            ("[0.6, 0, 0, 0.1, 1, 1] or [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]", "below"),
        ],
    )
    def test_rejects_with_a_reason(self, text: str, reason: str) -> None:
        answer = box_from_text(text)
        assert answer.box is None
        assert reason in answer.reason

    def test_several_boxes_are_counted_and_the_first_decides(self) -> None:
        answer = box_from_text("[0, 0, 0, 0, 0, 0] and [1, 1, 1, 1, 1, 1]", grid=(2, 2, 2))
        assert answer.box == pytest.approx((0, 0, 0, 0.5, 0.5, 0.5))
        assert answer.found == 2

    def test_units_of_other_models(self) -> None:
        per_1000 = BoxConvention("xyz", "per_1000", "exclusive")
        assert box_from_text("[100, 200, 300, 400, 500, 600]", convention=per_1000).box == pytest.approx(
            (0.3, 0.2, 0.1, 0.6, 0.5, 0.4)
        )
        voxels = BoxConvention("dhw", "voxel", "inclusive")
        assert box_from_text("[0, 0, 0, 31, 255, 127]", convention=voxels, grid=GRID).box == (0, 0, 0, 1, 1, 0.5)

    @given(st.text(alphabet="0123456789.,- e[]()naif<bx_start>", max_size=60))
    def test_whatever_is_read_is_a_box_in_the_volume(self, text: str) -> None:
        answer = box_from_text(text)
        assert (answer.box is None) == bool(answer.reason)
        if answer.box is not None:
            assert all(0 <= low <= high <= 1 for low, high in zip(answer.box[:3], answer.box[3:], strict=True))

    @pytest.mark.parametrize(
        "text",
        [
            "Sorry, there is no liver.",
            "No.",
            "None",
            "The spleen is not visible in this scan.",
            "The organ isn't present.",
            "I cannot find the pancreas.",
            "The gallbladder is absent",
            "The volume does not contain a kidney",
        ],
    )
    def test_absence(self, text: str) -> None:
        assert states_absence(text)

    @pytest.mark.parametrize("text", ["", "liver", "No idea", "It is in the upper left.", "I cannot see the image"])
    def test_not_absence(self, text: str) -> None:
        assert not states_absence(text)


class TestOverlap:
    @given(voxel_boxes(), voxel_boxes())
    def test_iou_counts_voxels(self, a: tuple[slice, slice, slice], b: tuple[slice, slice, slice]) -> None:
        left, right = _mask(a), _mask(b)
        expected = np.count_nonzero(left & right) / np.count_nonzero(left | right)
        assert box_iou(_box(a), _box(b)) == pytest.approx(expected)
        assert box_iou(_box(b), _box(a)) == box_iou(_box(a), _box(b))

    @given(any_box, any_box)
    def test_iou_lies_between_nothing_and_one(self, a: Box, b: Box) -> None:
        assert 0 <= box_iou(a, b) <= 1

    def test_one_slice_has_volume(self) -> None:
        slab = _box((slice(2, 3), slice(0, 5), slice(0, 6)))
        assert box_iou(slab, slab) == 1

    def test_upstream_divides_by_the_enclosing_box(self) -> None:
        a, b = (0.1,) * 3 + (0.5,) * 3, (0.22,) * 3 + (0.62,) * 3
        assert box_iou(a, b) == pytest.approx(0.207, abs=5e-4)
        assert upstream_box_iou(a, b) == pytest.approx(0.156, abs=5e-4)
        tiny = (0.1, 0.1, 0.1, 0.13, 0.12, 0.12)
        assert upstream_box_iou(tiny, tiny) == pytest.approx(0.923, abs=5e-4)


FULL: Box = (0, 0, 0, 1, 1, 1)
HALF: Box = (0, 0, 0, 0.5, 1, 1)
RIGHT = BoxPair(HALF, FULL, "[0, 0, 0, 0.5, 1, 1]", "[0, 0, 0, 1, 1, 1]")
REFUSED = BoxPair(None, FULL, "There is none.", "[0, 0, 0, 1, 1, 1]")
GARBLED = BoxPair(None, FULL, "[1, 2", "[0, 0, 0, 1, 1, 1]", unparsed=True)
NOTHING = BoxPair(None, None, "There is none.", "There is none.")
INVENTED = BoxPair(HALF, None, "[0, 0, 0, 0.5, 1, 1]", "There is none.")
GARBLED_ABSENT = BoxPair(None, None, "[1, 2", "There is none.", unparsed=True)
EVERY = [RIGHT, REFUSED, GARBLED, NOTHING, INVENTED, GARBLED_ABSENT]


class TestMetrics:
    def test_corrected_values(self) -> None:
        def seen(metric: Metric) -> list[float | None]:
            return [None if o.statistics is None else o.statistics[0] for o in metric.outcomes(EVERY)]

        assert seen(boxes.iou()) == [0.5, 0, 0, None, None, None]
        assert seen(boxes.acc_50()) == [1, 0, 0, None, None, None]
        assert seen(boxes.acc(threshold=0.6)) == [0, 0, 0, None, None, None]
        assert seen(boxes.presence_sensitivity()) == [1, 0, 0, None, None, None]
        assert seen(boxes.presence_specificity()) == [None, None, None, 1, 0, 0]

    def test_unparsed_fails_and_refusal_is_scored(self) -> None:
        for metric in METRICS[:5]:
            assert _one(metric, GARBLED).status == "failed"
            assert _one(metric, REFUSED).status == "scored"
        assert _one(boxes.presence_specificity(), GARBLED_ABSENT).status == "failed"

    def test_upstream_is_minus_one_where_either_is_missing(self) -> None:
        outcomes = list(boxes.upstream_iou().outcomes(EVERY))
        assert [o.statistics for o in outcomes[1:]] == [(-1, 1)] * 5
        assert outcomes[0].statistics == pytest.approx((0.5 / (1 + 1e-6), 1))
        assert {o.quirk for o in outcomes[1:]} == {"Q-REC-4"}
        assert [o.statistics for o in boxes.upstream_acc().outcomes(EVERY)] == [(1, 1)] + [(0, 1)] * 5

    def test_upstream_names_zero_volume(self) -> None:
        slice_ = (3 / 32, 0.25, 0.25, 4 / 32, 0.5, 0.5)
        flat = box_to_text(slice_, (32, 256, 256))
        outcome = _one(boxes.upstream_iou(), BoxPair(slice_, slice_, flat, flat))
        assert outcome == Outcome("scored", (0.0, 1.0), quirk="Q-REC-3")

    @pytest.mark.parametrize("metric", METRICS, ids=lambda metric: str(metric.signature))
    def test_failures_carry_the_worst_statistics(self, metric: Metric) -> None:
        for pair in EVERY:
            assert metric.value(metric.worst_statistics(pair)) == metric.worst
            outcome = _one(metric, pair)
            if outcome.status == "failed":
                assert outcome.statistics == metric.worst_statistics(pair)
                assert outcome.reason
            if outcome.statistics is not None:
                assert metric.value(outcome.statistics) >= metric.worst

    def test_names_and_families(self) -> None:
        names = "iou acc@0.2 acc@0.25 acc@0.5 presence_sensitivity presence_specificity iou acc@0.2"
        assert [metric.name for metric in METRICS] == names.split()
        assert [metric.family for metric in METRICS] == ["mean", *["rate"] * 5, "mean", "rate"]

    @pytest.mark.parametrize("threshold", [0, -0.1, 1.1, float("nan")])
    def test_rejects_thresholds(self, threshold: float) -> None:
        with pytest.raises(ValueError, match="threshold"):
            boxes.acc(threshold=threshold)
