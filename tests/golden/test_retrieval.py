"""The reference's recall on recorded embeddings; case 1 holds texts that tie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m3dbench.metrics.pairs import RetrievalPair
from m3dbench.metrics.ranking import places
from m3dbench.metrics.retrieval import Search, upstream_recall

DATA = Path(__file__).parent / "data"
CASES: list[dict[str, Any]] = json.loads((DATA / "retrieval.json").read_text())
SEARCHES: tuple[Search, ...] = ("image_to_text", "text_to_image")


@pytest.mark.parametrize("recorded", CASES, ids=lambda case: str(case["case"]))
def test_upstream_recall(recorded: dict[str, Any]) -> None:
    with np.load(DATA / "retrieval.npz") as arrays:
        image, text = arrays[f"{recorded['case']}.image"], arrays[f"{recorded['case']}.text"]
    alone = np.arange(len(image))
    pairs = [
        RetrievalPair(*both, pool=len(image), matches=1)
        for both in zip(places(image, text, alone), places(text, image, alone), strict=True)
    ]
    for search in SEARCHES:
        for k in (1, 5, 10):
            outcomes = list(upstream_recall(search, k).outcomes(pairs))
            value = np.mean([outcome.statistics[0] for outcome in outcomes if outcome.statistics])
            assert value == pytest.approx(recorded[f"{search}_r{k}"], abs=1e-6)
