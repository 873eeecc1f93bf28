"""Scoring of masks: strata found at scoring time, unknown spacing, failed answers without a worst value for all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m3dbench.data.prediction import StoredPrediction
from m3dbench.data.sample import MaskRef, Reference, Request, Sample
from m3dbench.errors import DataError
from m3dbench.metrics.core import Metric
from m3dbench.metrics.masks import dice, mask_presence_specificity
from m3dbench.metrics.pairs import MaskArray
from m3dbench.metrics.surface import hd95, nsd
from m3dbench.metrics.volumes import volume_error
from m3dbench.runs.pairs import PairMaker
from m3dbench.runs.scoring import score
from m3dbench.runs.summary import MetricSummary, summarise, worst_strata

GRID = (4, 30, 30)
VOXELS = {"none": 0, "few": 10, "some": 200, "many": 2000, "broken": -1}
METRICS = [dice(), hd95(), nsd(), volume_error(), mask_presence_specificity()]
Spacing = tuple[float, float, float]


def mask_of(voxels: int) -> MaskArray:
    if voxels < 0:
        raise DataError("the mask cannot be read")
    return (np.arange(np.prod(GRID)) < voxels).reshape(GRID)


def samples(strata: Mapping[str, str] | None = None) -> list[Sample]:
    return [
        Sample(name, name, Request("segment"), Reference(mask=MaskRef(name)), {"class": name, **(strata or {})})
        for name in VOXELS
    ]


def judged(
    tmp_path: Path, spacing: Spacing | None, items: list[Sample], status: Any = "ok", metrics: list[Metric] = METRICS
) -> tuple[dict[str, MetricSummary], list[dict[str, Any]]]:
    maker = PairMaker(
        reference_mask=lambda ref: mask_of(VOXELS[ref.path]),
        predicted_mask=lambda prediction: mask_of(100) if prediction.status == "ok" else None,
        spacing=lambda _: spacing,
    )
    answers = {name: StoredPrediction(name, status=status, reason="refused to say") for name in VOXELS}
    tallies = score(items, answers.get, "mask", {"corrected": metrics}, maker, tmp_path / "scores.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    return {item.metric: item for item in summarise(tallies, "class")}, rows


def test_size_and_presence_become_strata_of_every_metric(tmp_path: Path) -> None:
    summary, rows = judged(tmp_path, None, samples())
    sizes = summary["dice"].strata["size"]
    assert set(sizes) == {"tiny (< 100 voxels)", "small (100 to 1000 voxels)", "medium (1000 to 10000 voxels)"}
    assert sizes["small (100 to 1000 voxels)"].value == pytest.approx(2 * 100 / 300)
    assert summary["mask_presence_specificity"].strata["presence"]["absent"].n_planned == 1
    assert sum(value.n_planned for value in sizes.values()) == 3
    assert {row["id"]: row.get("strata", {}).get("presence") for row in rows} == {
        "none": "absent",
        "few": "present",
        "some": "present",
        "many": "present",
        "broken": None,
    }


def test_sizes_are_in_ml_where_the_spacing_is_known(tmp_path: Path) -> None:
    summary, _ = judged(tmp_path, (10.0, 10.0, 10.0), samples())
    assert set(summary["dice"].strata["size"]) == {"medium (5 to 50 ml)", "large (>= 50 ml)"}


def test_a_sample_s_own_stratum_of_that_name_stands(tmp_path: Path) -> None:
    summary, _ = judged(tmp_path, None, samples({"presence": "told"}))
    assert set(summary["dice"].strata["presence"]) == {"told"}


@pytest.mark.parametrize("status", ["ok", "error", "refused"])
def test_unknown_spacing_is_unscored_whatever_the_answer(tmp_path: Path, status: str) -> None:
    summary, _ = judged(tmp_path, None, samples(), status)
    for name in ("hd95", "nsd"):
        micro = summary[name].micro
        assert (micro.value, micro.n_scored, micro.n_failed, micro.n_unscored) == (None, 0, 0, 4)
        assert any("spacing" in reason for reason in summary[name].unscored_reasons)


def test_a_failed_answer_counts_as_the_pair_s_worst(tmp_path: Path) -> None:
    summary, rows = judged(tmp_path, (2.0, 1.0, 1.0), samples(), "error")
    diagonal = float(np.sqrt(8.0**2 + 30**2 + 30**2))
    assert summary["hd95"].worst is None
    assert summary["hd95"].micro.value == pytest.approx(diagonal)
    assert summary["nsd"].micro.value == 0
    assert (summary["hd95"].micro.n_failed, summary["hd95"].micro.n_unscored) == (3, 1)
    errors = {row["id"]: row["value"] for row in rows if row["metric"] == "volume_error" and row["value"] is not None}
    assert errors == {"few": 359.0, "some": 17.0, "many": 1.0}


def test_worst_strata_come_worst_first(tmp_path: Path) -> None:
    summary, _ = judged(tmp_path, (1.0, 1.0, 1.0), samples())
    worst = [name for name, _ in worst_strata(summary["dice"], "class", 2)]
    assert worst == ["many", "few"]
    assert [name for name, _ in worst_strata(summary["volume_error"], "class")] == ["few", "many", "some"]
    assert worst_strata(summary["dice"], "nothing") == []
