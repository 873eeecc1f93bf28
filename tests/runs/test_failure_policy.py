"""The failure policy, sentence by sentence, on a hand-made test set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from m3dbench.data.prediction import StoredPrediction
from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.errors import DataError
from m3dbench.metrics.choice import accuracy
from m3dbench.metrics.core import Metric, Outcome, each, worst_mean
from m3dbench.metrics.pairs import TextPair
from m3dbench.runs.pairs import PairMaker
from m3dbench.runs.scoring import score
from m3dbench.runs.summary import MetricSummary, summarise
from m3dbench.task import Scoring

CHOICES = {"A": "liver", "B": "spleen"}


def samples(count: int, per_case: int = 1) -> list[Sample]:
    return [
        Sample(
            f"s{number}",
            f"case{number // per_case}",
            Request("choose", choices=CHOICES),
            Reference("liver", choice="A"),
            {"question_type": "organ" if number % 2 else "plane"},
        )
        for number in range(count)
    ]


def no_masks(_: Any) -> Any:
    raise DataError("there are no masks here")


def judged(
    tmp_path: Path, items: Sequence[Sample], answers: dict[str, StoredPrediction], metric: Metric
) -> tuple[MetricSummary, list[dict[str, Any]]]:
    maker = PairMaker(reference_mask=no_masks, predicted_mask=no_masks)
    tallies = score(items, answers.get, "choice", {"corrected": [metric]}, maker, tmp_path / "scores.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    return summarise(tallies, "question_type")[0], rows


def test_failed_refused_unparsable_and_missing_count_as_worst_over_all_planned(tmp_path: Path) -> None:
    answers = {
        "s0": StoredPrediction("s0", text="A"),
        "s1": StoredPrediction("s1", text="B"),
        "s2": StoredPrediction("s2", status="error", reason="out of memory", text="A"),
        "s3": StoredPrediction("s3", status="refused", reason="will not say"),
        "s4": StoredPrediction("s4", text="I really could not tell you"),
    }
    summary, rows = judged(tmp_path, samples(6), answers, accuracy())
    micro = summary.micro
    assert (micro.n_planned, micro.n_scored, micro.n_failed, micro.n_unscored) == (6, 2, 4, 0)
    assert micro.value == pytest.approx(1 / 6)
    assert micro.scored_value == pytest.approx(1 / 2)
    assert {row["id"]: (row["status"], row["value"]) for row in rows} == {
        "s0": ("scored", 1.0),
        "s1": ("scored", 0.0),
        "s2": ("failed", 0.0),
        "s3": ("failed", 0.0),
        "s4": ("failed", 0.0),
        "s5": ("failed", 0.0),
    }
    reasons = {row["id"]: row["reason"] for row in rows}
    assert "out of memory" in reasons["s2"]
    assert "will not say" in reasons["s3"]
    assert "no prediction" in reasons["s5"]


def broken(pair: TextPair) -> Outcome:
    if pair.prediction == "crash":
        return Outcome.unscored("the encoder is not here", "Q-X-1")
    return Outcome.scored(1.0 if pair.prediction else 0.0, 1.0)


def test_a_scorer_s_failure_is_unscored_never_zero(tmp_path: Path) -> None:
    metric = Metric("toy", TextPair, each(broken), worst_mean(0.0), "toy")
    answers = {f"s{number}": StoredPrediction(f"s{number}", text=text) for number, text in enumerate(["yes", "crash"])}
    summary, rows = judged(tmp_path, samples(2), answers, metric)
    assert summary.micro.value == 1.0
    assert (summary.micro.n_planned, summary.micro.n_scored, summary.micro.n_unscored) == (2, 1, 1)
    assert rows[1]["value"] is None
    assert rows[1]["quirk"] == "Q-X-1"
    assert summary.unscored_reasons == {"the encoder is not here": 1}
    assert summary.quirks == {"Q-X-1": 1}


def only_present(pair: TextPair) -> Outcome:
    return Outcome.scored(1.0, 1.0) if pair.present else Outcome.not_applicable("absent")


def test_a_failed_answer_is_worst_only_where_the_metric_applies(tmp_path: Path) -> None:
    metric = Metric("toy", TextPair, each(only_present), worst_mean(0.0), "toy")
    items = [
        Sample("here", "a", Request("name_region"), Reference("x", present=True)),
        Sample("gone", "b", Request("name_region"), Reference("x", present=False)),
    ]
    answers = {name: StoredPrediction(name, status="error", reason="bug") for name in ("here", "gone")}
    summary, _ = judged(tmp_path, items, answers, metric)
    assert (summary.micro.n_planned, summary.micro.n_failed, summary.micro.n_not_applicable) == (1, 1, 1)


def test_micro_and_macro_and_strata(tmp_path: Path) -> None:
    items = samples(40, per_case=2)[:-1]
    answers = {
        item.id: StoredPrediction(item.id, text="A" if item.strata["question_type"] == "plane" else "B")
        for item in items
    }
    summary, _ = judged(tmp_path, items, answers, accuracy())
    assert summary.micro.value == pytest.approx(20 / 39)
    assert summary.macro is not None
    assert summary.macro.value == pytest.approx(0.5)
    assert summary.macro.strata == 2
    assert summary.strata["question_type"]["plane"].value == 1.0
    assert summary.strata["question_type"]["organ"].n_planned == 19
    assert summary.micro.interval is not None
    assert summary.micro.interval.clusters == summary.micro.n_cases == 20
    assert summary.micro.chance == pytest.approx(0.5)


def test_no_interval_under_ten_cases(tmp_path: Path) -> None:
    items = samples(27, per_case=3)
    summary, _ = judged(tmp_path, items, {item.id: StoredPrediction(item.id, text="A") for item in items}, accuracy())
    assert summary.micro.n_cases == 9
    assert summary.micro.interval is None


def test_an_excluded_sample_is_left_out_of_corrected_scoring_alone(tmp_path: Path) -> None:
    items = samples(3)
    items[1] = replace(items[1], excluded="two answers are right")
    items[2] = replace(items[2], excluded="two answers are right")
    answers = {
        "s0": StoredPrediction("s0", text="A"),
        "s1": StoredPrediction("s1", text="B"),
        "s2": StoredPrediction("s2", status="error", reason="out of memory"),
    }
    maker = PairMaker(reference_mask=no_masks, predicted_mask=no_masks)
    metrics: dict[Scoring, list[Metric]] = {"corrected": [accuracy()], "upstream": [accuracy()]}
    tallies = score(items, answers.get, "choice", metrics, maker, tmp_path / "scores.jsonl")
    corrected, upstream = summarise(tallies, "question_type")
    assert (corrected.micro.n_planned, corrected.micro.n_not_applicable, corrected.micro.n_failed) == (1, 2, 0)
    assert corrected.micro.value == 1.0
    assert (upstream.micro.n_planned, upstream.micro.n_not_applicable, upstream.micro.n_failed) == (3, 0, 1)
    assert upstream.micro.value == pytest.approx(1 / 3)
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    told = {row["id"]: row["reason"] for row in rows if row["scoring"] == "corrected"}
    assert told["s1"] == told["s2"] == "excluded: two answers are right"
