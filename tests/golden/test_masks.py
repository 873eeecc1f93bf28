"""The reference's soft Dice and box of a mask, and plain hard Dice, case by case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m3dbench.metrics.boxes import upstream_box_of_mask
from m3dbench.metrics.masks import dice, soft_sums, upstream_dice
from m3dbench.metrics.pairs import MaskPair

DATA = Path(__file__).parent / "data"
CASES: list[dict[str, Any]] = json.loads((DATA / "masks.json").read_text())


@pytest.fixture(params=CASES, ids=lambda case: str(case["case"]))
def case(request: pytest.FixtureRequest) -> tuple[dict[str, Any], MaskPair]:
    recorded: dict[str, Any] = request.param
    with np.load(DATA / "masks.npz") as arrays:
        logits, target = arrays[f"{recorded['case']}.logits"], arrays[f"{recorded['case']}.target"] > 0
    with np.errstate(over="ignore"):
        probabilities = (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
    return recorded, MaskPair(logits > 0, target, soft_sums(probabilities, target))


def test_upstream_soft_dice(case: tuple[dict[str, Any], MaskPair]) -> None:
    recorded, pair = case
    (outcome,) = upstream_dice().outcomes([pair])
    assert outcome.statistics == pytest.approx((recorded["upstream_soft_dice"], 1.0), abs=1e-6)


def test_hard_dice(case: tuple[dict[str, Any], MaskPair]) -> None:
    recorded, pair = case
    (outcome,) = dice().outcomes([pair])
    if pair.reference.any():
        assert outcome.statistics == pytest.approx((recorded["hard_dice"], 1.0), abs=1e-12)
    else:
        assert (outcome.status, recorded["hard_dice"]) == ("not_applicable", 0.0)


def test_upstream_box(case: tuple[dict[str, Any], MaskPair]) -> None:
    recorded, pair = case
    box = upstream_box_of_mask(pair.reference)
    assert (None if box is None else list(box)) == recorded["upstream_box"]
