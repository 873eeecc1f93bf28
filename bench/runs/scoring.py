"""The scoring stage: stored predictions through the metrics into ``scores.jsonl`` and a summary. Needs no model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from m3dbench.data.prediction import StoredPrediction
from m3dbench.data.sample import AnswerKind, Sample
from m3dbench.errors import DataError
from m3dbench.metrics.core import Metric, Outcome
from m3dbench.metrics.pairs import MaskPair
from m3dbench.metrics.volumes import mask_strata
from m3dbench.runs import jsonl
from m3dbench.runs.pairs import PairMaker
from m3dbench.runs.tally import Tally
from m3dbench.task import Scoring

CHUNK: Mapping[AnswerKind, int] = {"choice": 256, "text": 256, "box": 256, "mask": 4, "embedding": 256}
Metrics = Mapping[Scoring, list[Metric]]
STRATA: Mapping[type[Any], Callable[[Any], Mapping[str, str]]] = {MaskPair: mask_strata}
"""Strata that are known only once a pair is made, by kind of pair; a sample's own strata of the same name stand."""


def score(
    samples: Iterable[Sample],
    prediction_of: Callable[[str], StoredPrediction | None],
    answer: AnswerKind,
    metrics: Metrics,
    pairs: PairMaker,
    out: Path,
    advance: Callable[[int], None] = lambda _: None,
    further: Callable[[Sample], Mapping[str, str]] = lambda _: {},
) -> dict[Scoring, list[Tally]]:
    """Judge every sample by every metric, write one row each to ``out`` (replaced when whole) and return the tallies.

    ``further`` gives strata that neither the sample nor its pairs know, told in its rows like those of its pairs.
    A sample without a prediction counts as failed. Memory does not grow with the number of samples but for the
    per-case sums.
    """
    tallies: dict[Scoring, list[Tally]] = {
        scoring: [Tally(metric) for metric in chosen] for scoring, chosen in metrics.items()
    }
    temporary = out.with_name(out.name + ".tmp")
    with temporary.open("wb") as stream:
        for chunk in _chunks(samples, CHUNK[answer]):
            predictions = [prediction_of(sample.id) or _missing(sample.id) for sample in chunk]
            rows: list[list[bytes]] = [[] for _ in chunk]
            made = _Pairs(pairs, chunk, predictions)
            of_pairs = made.strata({metric.pair for chosen in metrics.values() for metric in chosen})
            found = [{**told, **further(sample)} for told, sample in zip(of_pairs, chunk, strict=True)]
            for scoring, chosen in tallies.items():
                excluded = [sample.excluded if scoring == "corrected" else "" for sample in chunk]
                for tally in chosen:
                    outcomes = judge(tally.metric, made, excluded)
                    for sample, outcome, pair, extra, lines in zip(
                        chunk, outcomes, made.of(tally.metric.pair), found, rows, strict=True
                    ):
                        guess = tally.metric.chance
                        chance = None if guess is None or isinstance(pair, DataError) else guess(pair)
                        tally.add(sample, outcome, chance, {**extra, **sample.strata})
                        lines.append(jsonl.line(_row(sample.id, scoring, tally.metric, outcome, extra)))
            stream.writelines(line for lines in rows for line in lines)
            advance(len(chunk))
    temporary.replace(out)
    return tallies


class _Pairs:
    """The pairs of a chunk, made once per kind."""

    def __init__(self, maker: PairMaker, samples: list[Sample], predictions: list[StoredPrediction]) -> None:
        self.maker = maker
        self.samples = samples
        self.predictions = predictions
        self._made: dict[type[Any], list[Any]] = {}

    def of(self, kind: type[Any]) -> list[Any]:
        """A pair a sample, or the DataError that kept it from being made."""
        if kind not in self._made:
            self._made[kind] = [
                self._make(kind, sample, prediction)
                for sample, prediction in zip(self.samples, self.predictions, strict=True)
            ]
        return self._made[kind]

    def strata(self, kinds: Iterable[type[Any]]) -> list[dict[str, str]]:
        """Per sample, the strata that its pairs of these kinds tell."""
        telling = [(STRATA[kind], self.of(kind)) for kind in kinds if kind in STRATA]
        return [
            {
                dimension: value
                for tell, pairs in telling
                if not isinstance(pairs[place], DataError)
                for dimension, value in tell(pairs[place]).items()
            }
            for place in range(len(self.samples))
        ]

    def _make(self, kind: type[Any], sample: Sample, prediction: StoredPrediction) -> Any:
        usable = prediction if prediction.status == "ok" else StoredPrediction(prediction.id)
        try:
            return self.maker.make(kind, sample, usable)
        except DataError as error:
            return error


def judge(metric: Metric, made: _Pairs, excluded: Sequence[str]) -> list[Outcome]:
    """One outcome a sample: the failure policy in one place.

    A sample with a reason in ``excluded`` is ``not_applicable``, whatever was answered. An error, a refusal or a
    missing answer is ``failed`` with the metric's worst statistics where the metric applies; a pair that cannot be made
    (a mask that cannot be read) is ``unscored``, as is one whose worst value is unknown.
    """
    pairs = made.of(metric.pair)
    answered = [
        prediction.status == "ok" and not why for prediction, why in zip(made.predictions, excluded, strict=True)
    ]
    asked = [pair for pair, ok in zip(pairs, answered, strict=True) if ok and not isinstance(pair, DataError)]
    outcomes = iter(metric.outcomes(asked))
    result: list[Outcome] = []
    for pair, prediction, why in zip(pairs, made.predictions, excluded, strict=True):
        if why:
            result.append(Outcome.not_applicable(f"excluded: {why}"))
        elif isinstance(pair, DataError):
            result.append(Outcome.unscored("; ".join(part.strip() for part in str(pair).splitlines())))
        elif prediction.status == "ok":
            result.append(next(outcomes))
        else:
            blank = next(iter(metric.outcomes([made.maker.blank(metric.pair, pair)])))
            worst = metric.worst_statistics(pair)
            if blank.status == "not_applicable" or worst is None:
                result.append(blank)
            else:
                failed = Outcome.failed(worst, f"{prediction.status}: {prediction.reason}")
                result.append(replace(failed, quirk=blank.quirk))
    return result


def _row(
    sample_id: str, scoring: Scoring, metric: Metric, outcome: Outcome, strata: Mapping[str, str]
) -> dict[str, Any]:
    value = None if outcome.statistics is None else metric.value(outcome.statistics)
    if value is not None and math.isnan(value):
        value = None
    row: dict[str, Any] = {
        "id": sample_id,
        "scoring": scoring,
        "metric": metric.name,
        "value": value,
        "status": outcome.status,
        "reason": outcome.reason,
    }
    if outcome.quirk:
        row["quirk"] = outcome.quirk
    if outcome.statistics is not None and outcome.statistics != (value, 1.0):
        row["statistics"] = outcome.statistics
    if strata:
        row["strata"] = strata
    return row


def _chunks(samples: Iterable[Sample], size: int) -> Iterator[list[Sample]]:
    iterator = iter(samples)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _missing(sample_id: str) -> StoredPrediction:
    return StoredPrediction(sample_id, status="error", reason="there is no prediction for this sample")
