"""What the list and the page of a sample say, as plain values."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from m3dbench.data.prediction import StoredPrediction
from m3dbench.data.sample import Sample
from m3dbench.report.diff import agree, protocol_pairs
from m3dbench.report.quirks import quirk
from m3dbench.report.viewer.shown_run import ShownTask

EXCERPT = 80


def strata_of(sample: Sample, scores: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The strata of a sample: those of the manifest, and those that scoring found out."""
    further = scores[0].get("strata", {}) if scores else {}
    return {**sample.strata, **further}


def excerpt(text: str) -> str:
    line = " ".join(text[: 4 * EXCERPT].split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…"


def asked_of(sample: Sample) -> str:
    """What a sample is about, in a few words; empty where all of a task ask the same."""
    request = sample.request
    if request.kind in ("report", "match"):
        return ""
    return excerpt(request.target or request.question or request.description or request.wording)


def answer_of(prediction: StoredPrediction | None) -> str:
    """What was answered, in a few words."""
    if prediction is None:
        return ""
    if prediction.text:
        return excerpt(prediction.text)
    if prediction.status != "ok":
        return excerpt(prediction.reason)
    if prediction.absent:
        return "not there"
    given = {"box": prediction.box, "mask": prediction.mask, "embeddings": prediction.embedding}
    return ", ".join(name for name, value in given.items() if value is not None)


def disagreements(scores: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Metric -> quirk (empty where none is named) of the metrics on which the two scorings of a sample differ."""
    return {name: cause for name, ours, theirs, cause in protocol_pairs(scores) if not agree(ours, theirs)}


def sample_row(sample: Sample) -> dict[str, Any]:
    """What was asked and what is right."""
    row = sample.to_json()
    reference = row["reference"]
    reference["mask"] = "mask" in reference
    reference.setdefault("box", None)
    return {**{name: row.get(name, "") for name in ("id", "case", "excluded", "base", "note")}, **row}


def run_row(task: ShownTask, sample: Sample) -> dict[str, Any]:
    """What one run answered, and how it was scored and judged."""
    prediction = task.prediction(sample.id)
    scores = task.scores(sample.id)
    differing = disagreements(scores)
    row: dict[str, Any] = {"status": "missing"}
    if prediction is not None:
        row = {**prediction.to_json(), "mask": prediction.mask is not None, "judged": task.judged(sample, prediction)}
        row.pop("prompt_ids", None)
        row["embedding"] = list(prediction.embedding.shape) if prediction.embedding is not None else None
    keep = ("scoring", "metric", "value", "status", "reason", "note")
    return {
        **row,
        "scores": [{name: score[name] for name in keep if score.get(name) not in ("", None)} for score in scores],
        "differs": [
            {"metric": metric, "quirk": name, "title": quirk(name).title if name else sample.excluded}
            for metric, name in differing.items()
        ],
    }


@dataclasses.dataclass
class Columns:
    """One run's part of a piece of the list: per sample its status, answer in few words, values and disagreements."""

    status: list[str] = dataclasses.field(default_factory=list)
    answer: list[str] = dataclasses.field(default_factory=list)
    values: dict[str, list[float | None]] = dataclasses.field(default_factory=dict)
    differs: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def add(self, prediction: StoredPrediction | None, scores: Sequence[dict[str, Any]]) -> None:
        place = len(self.status)
        self.status.append(prediction.status if prediction is not None else "missing")
        self.answer.append(answer_of(prediction))
        for score in scores:
            column = self.values.setdefault(f"{score['scoring']}:{score['metric']}", [])
            column += [None] * (place - len(column)) + [score["value"]]
        if found := disagreements(scores):
            self.differs[str(place)] = list(found)

    def to_json(self) -> dict[str, Any]:
        total = len(self.status)
        values = {
            key: [None if value is None else round(value, 6) for value in column] + [None] * (total - len(column))
            for key, column in self.values.items()
        }
        return {"status": self.status, "answer": self.answer, "values": values, "differs": self.differs}
