"""What a control costs: the plain run's values less the control's, on the samples that both have."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest

import numpy as np

from m3dbench.data.manifest import canonical
from m3dbench.errors import UserError
from m3dbench.metrics.core import FloatArray, Metric, Statistics
from m3dbench.runs import jsonl
from m3dbench.runs.control import PERMUTE_CHOICES
from m3dbench.runs.folder import RunFolder, TaskFolder
from m3dbench.runs.paired_scores import Key, statistics
from m3dbench.runs.score_task import write_summary
from m3dbench.runs.scoring import Metrics
from m3dbench.runs.summary import SEED, ControlSummary, Drop, TaskSummary
from m3dbench.stats.paired import paired_difference
from m3dbench.task import Scoring

SAME = (
    "model",
    "adapter_version",
    "model_facts",
    "task",
    "task_version",
    "test_set",
    "datasets",
    "limit",
    "seed",
    "requests",
)
"""Facts of the resume set in which a plain run and its control agree."""
AGAIN = "make it with the same command without --control, then repeat this one"
Pair = tuple[Statistics, Statistics]


def add(summary: TaskSummary, run: RunFolder, against: RunFolder, metrics: Metrics) -> TaskSummary:
    """The summary of a control with its drops, written to the run; raises UserError as ``measure`` does."""
    assert summary.control is not None  # noqa: S101 - the caller has a control
    found = replace(summary, control=measure(run, against, summary.task, summary.control.name, metrics))
    write_summary(run.task(summary.task), found)
    return found


def measure(run: RunFolder, against: RunFolder, task: str, control: str, metrics: Metrics) -> ControlSummary:
    """The drop of every metric, from the scores of two finished runs of one task.

    Raises UserError when the plain run lacks the task, is not finished, is a control itself, or differs in anything
    but the control.
    """
    _check(run, against, task)
    sums: dict[Key, dict[str, FloatArray]] = {}
    counts: dict[Key, int] = {}
    for case, pairs in _paired(run.task(task), against.task(task), against):
        for key, pair in pairs.items():
            both = np.asarray(pair, dtype=np.float64)
            of_cases = sums.setdefault(key, {})
            of_cases[case] = of_cases[case] + both if case in of_cases else both
            counts[key] = counts.get(key, 0) + 1
    drops = [
        _drop(metric, scoring, np.stack(list(sums[key].values())), counts[key])
        for scoring, chosen in metrics.items()
        for metric in chosen
        if (key := (scoring, metric.name)) in sums
    ]
    return ControlSummary(control, str(against.path), tuple(drops))


def _check(run: RunFolder, against: RunFolder, task: str) -> None:
    entry = against.content()["tasks"].get(task)
    if entry is None or entry["status"] != "complete":
        what = "lacks the task" if entry is None else "has not finished the task"
        raise UserError(f"the plain run {what} {task}", file=against.path, field="--against", fix=AGAIN)
    ours, theirs = run.content()["tasks"][task]["facts"], entry["facts"]
    if other := theirs["resume"].get("control"):
        raise UserError(
            f"is itself a control ({other})", file=against.path, field="--against", fix="give the plain run"
        )
    for field in SAME:
        if canonical(ours["resume"].get(field)) != canonical(theirs["resume"].get(field)):
            raise _unlike(against, field)
    same_requests = ours["resume"]["control"] != PERMUTE_CHOICES
    for field in ("manifest", "requests") if same_requests else ():
        if ours["comparable"][field] != theirs["comparable"][field]:
            raise _unlike(against, f"the samples (hash of {field})")
    for scoring, signatures in ours["comparable"]["scoring"].items():
        judged = theirs["comparable"]["scoring"].get(scoring, {})
        for metric, signature in signatures.items():
            if judged.get(metric) != signature:
                raise _unlike(against, f"the metric {metric} ({scoring})")


def _unlike(against: RunFolder, what: str) -> UserError:
    return UserError(
        f"the plain run differs in more than the control: {what}",
        file=against.path,
        field="--against",
        fix="repeat both runs with the same options",
    )


def _paired(controlled: TaskFolder, plain: TaskFolder, against: RunFolder) -> Iterator[tuple[str, dict[Key, Pair]]]:
    """Sample by sample its case, and (plain, control) of each metric with statistics in both. Flat in memory."""
    for sample, one, other in zip_longest(jsonl.read(controlled.manifest), statistics(plain), statistics(controlled)):
        if sample is None or one is None or other is None or not sample["id"] == one[0] == other[0]:
            raise _unlike(against, "the samples")
        yield sample["case"], {key: (one[1][key], other[1][key]) for key in one[1] if key in other[1]}


def _drop(metric: Metric, scoring: Scoring, sums: FloatArray, samples: int) -> Drop:
    """sums: (cases, 2, k), the plain run's statistics first."""
    found = paired_difference(metric.family, sums[:, 0], sums[:, 1], metric.aggregate, SEED, bounds=metric.bounds)
    plain, controlled, value = (
        number if math.isfinite(number) else None for number in (found.first, found.second, found.value)
    )
    return Drop(metric.name, scoring, plain, controlled, value, found.interval, samples, len(sums))
