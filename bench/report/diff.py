"""Where the two scorings of a run disagree, item by item, and which quirk of the reference is the cause."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from m3dbench.data.sample import Sample
from m3dbench.errors import UserError
from m3dbench.metrics.core import SAME
from m3dbench.report.quirks import EXCLUDED, OPTION, UNEXPLAINED, Quirk, catalogue
from m3dbench.runs import jsonl
from m3dbench.runs.folder import RunFolder, TaskFolder
from m3dbench.runs.journal import Rows

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One scoring's word on one item; ``value`` is None where there is none."""

    status: str
    value: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An item on which the scorings differ in status, or in value by more than 1e-9.

    change: upstream less corrected, None where either has no value. prediction and reference: what was answered and
    what is right, as far as they are text or boxes.
    """

    id: str
    metric: str
    quirk: str
    corrected: Verdict
    upstream: Verdict
    prediction: str = ""
    reference: str = ""

    @property
    def change(self) -> float | None:
        if self.corrected.value is None or self.upstream.value is None:
            return None
        return self.upstream.value - self.corrected.value

    @property
    def transition(self) -> str:
        """``not_applicable -> scored``; empty where the status is the same."""
        before, after = self.corrected.status, self.upstream.status
        return "" if before == after else f"{before} -> {after}"


@dataclass
class Total:
    """The disagreements of one metric put down to one quirk. ``transitions``: status change -> items."""

    metric: str
    quirk: str
    items: int = 0
    transitions: Counter[str] = field(default_factory=Counter)
    changes: list[float] = field(default_factory=list)

    def add(self, item: Disagreement) -> None:
        self.items += 1
        if item.transition:
            self.transitions[item.transition] += 1
        if item.change is not None:
            self.changes.append(item.change)

    @property
    def mean_change(self) -> float | None:
        """Mean of upstream less corrected over the items that have both values."""
        return math.fsum(self.changes) / len(self.changes) if self.changes else None


@dataclass
class TaskDiff:
    """The disagreements of one task. compared: metric -> items that both scorings judged."""

    task: str
    title: str
    compared: dict[str, int] = field(default_factory=dict)
    items: list[Disagreement] = field(default_factory=list)
    hidden: tuple[Quirk, ...] = ()

    def totals(self) -> list[Total]:
        """Per metric and quirk, the metrics in their own order and the commonest quirk first."""
        found: dict[tuple[str, str], Total] = {}
        for item in self.items:
            found.setdefault((item.metric, item.quirk), Total(item.metric, item.quirk)).add(item)
        order = list(self.compared)
        return sorted(found.values(), key=lambda total: (order.index(total.metric), -total.items, total.quirk))

    def of(self, total: Total) -> list[Disagreement]:
        """The items of a total, those whose value changes most first."""
        chosen = [item for item in self.items if (item.metric, item.quirk) == (total.metric, total.quirk)]
        return sorted(chosen, key=lambda item: -abs(item.change or 0.0))


def diff_run(run: RunFolder, tasks: Sequence[str] | None = None) -> list[TaskDiff]:
    """The disagreements of a run's tasks. Raises UserError when a task is not there or has not both scorings."""
    entries = run.content()["tasks"]
    for name in tasks or ():
        run.insist(name)
    return [_task(name, entries[name], run.task(name)) for name in tasks or entries]


def _task(name: str, entry: Mapping[str, Any], folder: TaskFolder) -> TaskDiff:
    scoring = entry["facts"]["comparable"]["scoring"]
    if len(scoring) < 2 or not folder.scores.is_file():
        what = "is not scored yet" if not folder.scores.is_file() else f"has {' and '.join(scoring)} scores only"
        raise UserError(
            f"the task {name} {what}: there is nothing to compare",
            file=folder.path,
            fix="run or score it with --scoring both",
        )
    seen = [item for item in catalogue().values() if set(item.metrics) & set(scoring["upstream"])]
    found = TaskDiff(name, entry["title"], hidden=tuple(item for item in seen if item.hidden))
    shared = {name: signature for name, signature in scoring["corrected"].items() if name in scoring["upstream"]}
    optioned = {metric for metric, signature in shared.items() if _has_options(metric, signature)}
    predictions = Rows(folder.predictions)
    for sample, rows in _by_sample(folder):
        for metric, corrected, upstream, quirk in protocol_pairs(rows):
            found.compared[metric] = found.compared.get(metric, 0) + 1
            if agree(corrected, upstream):
                continue
            cause = EXCLUDED if sample.excluded else quirk or (OPTION if metric in optioned else UNEXPLAINED)
            answer = _answer(predictions.get(sample.id))
            found.items.append(
                Disagreement(sample.id, metric, cause, _verdict(corrected), _verdict(upstream), answer, _right(sample))
            )
    predictions.close()
    return found


def _by_sample(folder: TaskFolder) -> Iterator[tuple[Sample, list[Row]]]:
    """The manifest's samples with their score rows: both files are in the same order."""
    groups = groupby(jsonl.read(folder.scores), key=lambda row: row["id"])
    for row, (sample_id, rows) in zip(jsonl.read(folder.manifest), groups, strict=True):
        if row["id"] != sample_id:
            raise UserError("scores and manifest are not of the same samples", file=folder.scores, record=sample_id)
        yield Sample.from_json(row), list(rows)


def protocol_pairs(rows: Sequence[Row]) -> Iterator[tuple[str, Row, Row, str]]:
    """Metric, both rows and the quirk named; also a metric beside the one that the reference computes in its place."""
    found = {(row["scoring"], row["metric"]): row for row in rows}
    for (scoring, metric), row in found.items():
        if scoring == "corrected" and ("upstream", metric) in found:
            other = found["upstream", metric]
            yield metric, row, other, other.get("quirk", "")
    for item in catalogue().values():
        for metric in item.metrics if item.instead else ():
            if ("corrected", metric) in found and ("upstream", item.instead) in found:
                other = found["upstream", item.instead]
                yield f"{metric} / {item.instead}", found["corrected", metric], other, other.get("quirk") or item.id


def agree(a: Row, b: Row) -> bool:
    """Whether two scorings of one item say the same: the status, and the value within 1e-9."""
    if a["status"] != b["status"] or a["value"] is None or b["value"] is None:
        return bool(a["status"] == b["status"] and a["value"] == b["value"])
    return bool(abs(a["value"] - b["value"]) <= SAME)


def _verdict(row: Row) -> Verdict:
    return Verdict(row["status"], row["value"], row["reason"])


def _answer(row: Row | None) -> str:
    if row is None or row["status"] != "ok":
        return "(none)" if row is None else f"({row['status']})"
    if row.get("text") is not None:
        return str(row["text"])
    return _box(row["box"]) if row.get("box") else "(mask)" if row.get("mask") else "(nothing)"


def _right(sample: Sample) -> str:
    reference = sample.reference
    if reference.choice:
        return f"{reference.choice}. {reference.text}"
    if reference.text or reference.box:
        return reference.text or _box(reference.box or ())
    return f"(mask {reference.mask.path})" if reference.mask and reference.present is not False else "(absent)"


def _box(values: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:.3f}' for value in values)}]"


def _has_options(metric: str, signature: str) -> bool:
    """Whether a corrected metric was computed otherwise than by default."""
    from m3dbench import registry

    try:
        return bool(registry.create("metrics", metric).signature != signature)
    except UserError:
        return False
