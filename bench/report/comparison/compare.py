"""Two runs of a task, paired by sample id: differences, intervals, tests, strata and the items that changed."""

from __future__ import annotations

import filecmp
import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from m3dbench import registry
from m3dbench.judge.lookup import metrics_of_task
from m3dbench.metrics.core import SAME, FloatArray, Metric, Statistics
from m3dbench.report.comparison.comparable import comparability
from m3dbench.report.comparison.result import Flip, Paired, TaskComparison
from m3dbench.report.comparison.samples import paired_samples
from m3dbench.report.scored_by import scored_by
from m3dbench.runs.folder import RunFolder, TaskFolder
from m3dbench.runs.summary import SEED
from m3dbench.stats.paired import paired_difference
from m3dbench.stats.signflip import sign_flip

Both = tuple[Statistics, Statistics]


def compare_task(
    base: RunFolder, candidate: RunFolder, task: str, *, allow: Collection[str] = (), level: float = 0.95
) -> TaskComparison:
    """Compare one task of two finished runs; ``not_comparable`` says why where their facts differ.

    Samples are paired by id. Flat in memory but for per-case sums and the changed items; with ``allow`` naming
    ``manifest``, also the candidate's statistics.
    """
    primary: str = registry.create("tasks", task).primary
    found = comparability(base, candidate, task, primary, allow)
    if found.refusal:
        return TaskComparison(task, primary, not_comparable=found.refusal)
    recorded = base.content()["tasks"][task]["facts"]["comparable"]["scoring"]
    metrics, missing = scored_by(task, recorded, metrics_of_task(base.task(task)))
    skipped = {**found.skipped, **missing}
    chosen = {key: metric for key, metric in metrics.items() if f"{key[1]} ({key[0]})" not in skipped}
    cells = {key: _Cell() for key in chosen}
    strata: dict[tuple[str, str], _Cell] = {}
    flips: list[Flip] = []
    main = ("corrected", primary) if ("corrected", primary) in chosen else next(iter(chosen), ("", ""))
    for sample, one, other in paired_samples(base.task(task), candidate.task(task), "manifest" in found.allowed):
        for key, metric in chosen.items():
            if (key in one) != (key in other):
                cells[key].left_out += 1
            if key not in one or key not in other:
                continue
            pair = one[key], other[key]
            values = metric.value(pair[0]), metric.value(pair[1])
            cells[key].add(sample["case"], pair, values)
            if key != main:
                continue
            for name in sample.get("strata", {}).items():
                strata.setdefault(name, _Cell()).add(sample["case"], pair, values)
            if abs(values[0] - values[1]) > SAME:
                flips.append(Flip(sample["id"], sample["case"], *values))
    if not chosen or not cells[main].sums:
        return TaskComparison(
            task, primary, not_comparable="no sample has the primary metric in both runs", skipped=skipped
        )
    compared = [_paired(chosen[key], key[0], cells[key], level) for key in sorted(chosen, key=lambda key: key != main)]
    by_dimension: dict[str, dict[str, Paired]] = {}
    for (dimension, value), cell in sorted(strata.items()):
        by_dimension.setdefault(dimension, {})[value] = _paired(chosen[main], main[0], cell, level)
    worsening = 1 if chosen[main].direction == "higher" else -1
    flips.sort(key=lambda flip: (worsening * (flip.candidate - flip.base), flip.id))
    return TaskComparison(
        task=task,
        primary=primary,
        metrics=tuple(compared),
        strata=by_dimension,
        flips=tuple(flips),
        identical=_identical(base.task(task), candidate.task(task)),
        allowed=found.allowed,
        skipped=skipped,
    )


@dataclass
class _Cell:
    """Sums per case, (2, k), base first, of the samples that both runs have statistics for, and how values changed."""

    sums: dict[str, FloatArray] = field(default_factory=dict)
    items: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    left_out: int = 0

    def add(self, case: str, pair: Both, values: tuple[float, float]) -> None:
        both = np.asarray(pair, dtype=np.float64)
        self.sums[case] = self.sums[case] + both if case in self.sums else both
        self.items[case] += 1
        change = values[1] - values[0]
        self.changes["tie" if not abs(change) > SAME else "up" if change > 0 else "down"] += 1


def _paired(metric: Metric, scoring: str, cell: _Cell, level: float) -> Paired:
    up, down = ("wins", "losses") if metric.direction == "higher" else ("losses", "wins")
    counts = {up: cell.changes["up"], down: cell.changes["down"], "ties": cell.changes["tie"]}
    known: dict[str, Any] = {"metric": metric.name, "scoring": scoring, "direction": metric.direction, **counts}
    known |= {"n_samples": cell.items.total(), "n_cases": len(cell.sums), "left_out": cell.left_out}
    if not cell.sums:
        return Paired(
            **known,
            base=None,
            candidate=None,
            difference=None,
            interval=None,
            p_worse=None,
            p_two_sided=None,
            mcnemar=None,
            effect=None,
        )
    sums = np.stack(list(cell.sums.values()))
    base, candidate = sums[:, 0], sums[:, 1]
    found = paired_difference(metric.family, candidate, base, metric.aggregate, SEED, level, bounds=metric.bounds)
    test = sign_flip(candidate, base, metric.aggregate, SEED)
    one_each = metric.family == "rate" and max(cell.items.values()) == 1
    return Paired(
        **known,
        base=_finite(found.second),
        candidate=_finite(found.first),
        difference=_finite(found.value),
        interval=found.interval,
        p_worse=test.less if metric.direction == "higher" else test.greater,
        p_two_sided=test.two_sided,
        mcnemar=_mcnemar(cell.changes["up"], cell.changes["down"]) if one_each else None,
        effect=_effect(base, candidate),
    )


def _mcnemar(up: int, down: int) -> float:
    """Exact McNemar test, two-sided. Source: McNemar 1947; the discordant pairs are a fair coin under no difference."""
    return float(stats.binomtest(up, up + down).pvalue) if up + down else 1.0


def _effect(base: FloatArray, candidate: FloatArray) -> float | None:
    """Cohen's d of the cases' mean differences; None for other statistics than (sum, count), or without spread."""
    if base.shape[1] != 2 or not np.array_equal(base[:, 1], candidate[:, 1]) or len(base) < 2:
        return None
    changes = (candidate[:, 0] - base[:, 0]) / base[:, 1]
    spread = float(changes.std(ddof=1))
    return float(changes.mean()) / spread if spread > 0 else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _identical(base: TaskFolder, candidate: TaskFolder) -> bool:
    one, other = base.predictions, candidate.predictions
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)
