"""Every upstream outcome that the corrected metric does not share names the quirk that is its cause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3dbench.metrics import boxes, choice, masks
from m3dbench.metrics.box_quirks import CORRECTED, QUIRKS, UPSTREAM, box_quirk, box_value
from m3dbench.metrics.box_text import box_to_text, upstream_box_from_text
from m3dbench.metrics.core import Metric
from m3dbench.metrics.pairs import BoxPair, ChoicePair, MaskPair, TextPair
from m3dbench.metrics.text import bleu, meteor, rouge

GRID = (32, 256, 256)


def outcome(metric: Metric, pair: Any) -> Any:
    (found,) = metric.outcomes([pair])
    return found


def check(corrected: Metric, upstream: Metric, pair: Any) -> str:
    """The quirk is named exactly where status or value differ."""
    mine, theirs = outcome(corrected, pair), outcome(upstream, pair)
    assert bool(theirs.quirk) == (not mine.agrees(theirs)), (mine, theirs, pair)
    return str(theirs.quirk)


@st.composite
def box(draw: st.DrawFn) -> tuple[float, float, float, float, float, float]:
    sides = []
    for size in GRID:
        low = draw(st.integers(0, size - 1))
        sides.append((low / size, draw(st.integers(low + 1, size)) / size))
    (d0, d1), (h0, h1), (w0, w1) = sides
    return (d0, h0, w0, d1, h1, w1)


@st.composite
def box_pair(draw: st.DrawFn) -> BoxPair:
    reference, prediction = draw(st.none() | box()), draw(st.none() | box())
    text = box_to_text(prediction, GRID) if prediction else draw(st.sampled_from(["It is not there.", "", "[1, 2"]))
    if draw(st.booleans()):
        text = text.replace(", ", ",")
    told = box_to_text(reference, GRID) if reference else "There is none."
    unparsed = prediction is None and draw(st.booleans())
    return BoxPair(prediction, reference, text, told, GRID, unparsed)


@given(box_pair())
def test_every_disagreement_of_boxes_has_a_cause(pair: BoxPair) -> None:
    check(boxes.iou(), boxes.upstream_iou(), pair)
    check(boxes.acc(threshold=0.2), boxes.upstream_acc(), pair)


@given(box_pair())
def test_the_rules_lead_from_upstream_to_corrected(pair: BoxPair) -> None:
    found = outcome(boxes.iou(), pair)
    status, value = box_value(pair, CORRECTED)
    if not (pair.unparsed and pair.reference is None):
        assert status == found.status
    if found.statistics is not None:
        assert value == pytest.approx(found.statistics[0], abs=1e-12)
    read = upstream_box_from_text(pair.prediction_text), upstream_box_from_text(pair.reference_text)
    expected = -1.0 if None in read else boxes.upstream_box_iou(*read)  # type: ignore[arg-type]
    assert box_value(pair, UPSTREAM) == ("scored", expected)


FULL, HALF = (0.0, 0.0, 0.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.5, 1.0, 1.0)


def pair_of(prediction: Any, reference: Any, text: str | None = None, grid: Any = GRID) -> BoxPair:
    texts = [box_to_text(side, grid) if side else "" for side in (prediction, reference)]
    return BoxPair(prediction, reference, texts[0] if text is None else text, texts[1], grid)


@pytest.mark.parametrize(
    ("pair", "quirk"),
    [
        (pair_of((0.0, 0.0, 0.0, 0.5, 0.5, 0.5), (0.25, 0.25, 0.25, 0.75, 0.75, 0.75)), "Q-REC-1"),
        (pair_of((0.5, 0.5, 0.5, 0.51, 0.51, 0.51), (0.5, 0.5, 0.5, 0.51, 0.51, 0.51), grid=(10000,) * 3), "Q-REC-2"),
        (pair_of((3 / 32, 0.2, 0.2, 4 / 32, 0.5, 0.5), (3 / 32, 0.2, 0.2, 4 / 32, 0.5, 0.5)), "Q-REC-3"),
        (pair_of(None, FULL), "Q-REC-4"),
        (pair_of(None, None), "Q-REC-4"),
        (pair_of(FULL, None), "Q-REC-4"),
        (pair_of(HALF, FULL, "[0.0,0.0,0.0,0.469,0.996,0.996]"), "Q-REC-5"),
    ],
)
def test_a_box_disagreement_is_put_down_to_the_rule_that_weighs_most(pair: BoxPair, quirk: str) -> None:
    assert check(boxes.iou(), boxes.upstream_iou(), pair) == quirk


@given(box_pair())
def test_switching_the_named_rule_off_helps_no_less_than_any_other(pair: BoxPair) -> None:
    quirk = box_quirk(pair)
    if quirk and box_value(pair, CORRECTED)[0] == "scored":
        wanted = box_value(pair, CORRECTED)[1]
        left = {
            QUIRKS[name]: abs(box_value(pair, replace(UPSTREAM, **{name: False}))[1] - wanted)
            for name in QUIRKS
            if box_value(pair, replace(UPSTREAM, **{name: False}))[0] == "scored"
        }
        assert left[quirk] <= min(left.values()) + 1e-9


def test_soft_probabilities_and_the_smoothing_term_are_told_apart() -> None:
    reference = np.zeros((4, 8, 8), dtype=np.bool_)
    reference[1:3, 2:6, 2:6] = True
    volume = float(reference.sum())
    corrected, upstream = masks.dice(), masks.upstream_dice()
    assert check(corrected, upstream, MaskPair(reference, reference)) == "Q-SEG-2"
    assert check(corrected, upstream, MaskPair(reference, reference, (volume + 50, volume))) == "Q-SEG-1"
    assert check(corrected, upstream, MaskPair(reference, reference, (volume, volume))) == "Q-SEG-2"
    assert check(corrected, upstream, MaskPair(None, reference)) == ""
    assert check(corrected, upstream, MaskPair(None, np.zeros_like(reference))) == "Q-SEG-2"
    assert check(corrected, upstream, MaskPair(reference[:2], reference)) == "SHAPE"


@given(
    st.sampled_from(["A", "B", "E"]),
    st.sampled_from(["A", "B.", "(a)", "a or b", "CTA.", "liver", "B. liver", "", "E."]),
)
def test_every_disagreement_of_choices_has_a_cause(answer: str, text: str) -> None:
    pair = ChoicePair(text, answer, {"A": "spleen", "B": "liver", "C": "both"})
    quirk = check(choice.accuracy(), choice.upstream_accuracy(), pair)
    assert quirk in ({"Q-VQA-3"} if answer == "E" else {"", "Q-VQA-1"})


WORDS = st.lists(
    st.sampled_from(["Axial", "axial.", "axial", "the", "The", "CT", "-", "...", "<skipped>", "\n"]), max_size=8
)


@given(WORDS, WORDS)
def test_every_disagreement_of_texts_has_a_cause(prediction: list[str], reference: list[str]) -> None:
    pair = TextPair(" ".join(prediction), " ".join(reference))
    assert check(bleu.bleu1(), bleu.upstream_bleu1(), pair) in {"", "Q-TXT-1", "Q-TXT-5"}
    assert check(rouge.rouge1(), rouge.upstream_rouge1(), pair) in {"", "Q-TXT-5"}
    assert check(meteor.meteor(), meteor.upstream_meteor(), pair) in {"", "Q-TXT-5"}
