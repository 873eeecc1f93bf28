"""The reference's own box reading and IoU, case by case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from m3dbench.metrics.box_text import upstream_box_from_text
from m3dbench.metrics.boxes import upstream_iou
from m3dbench.metrics.pairs import BoxPair

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "boxes.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_upstream_box_and_iou(case: dict[str, Any]) -> None:
    read = upstream_box_from_text(case["prediction"])
    assert (None if read is None else list(read)) == case["upstream_box"]
    pair = BoxPair(None, None, case["prediction"], case["answer"])
    (outcome,) = upstream_iou().outcomes([pair])
    assert outcome.status == "scored"
    assert outcome.statistics == pytest.approx((case["upstream_iou"], 1.0), abs=1e-9)
