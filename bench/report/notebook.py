"""Comparing runs from Python: tables as pandas objects."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from m3dbench.report.comparison.result import Paired, RunComparison, TaskComparison
from m3dbench.report.comparison.rules import read_rules
from m3dbench.report.comparison.runs import compare_runs
from m3dbench.runs.folder import RunFolder
from m3dbench.runs.load import Run


@dataclass(frozen=True)
class Comparison:
    """A candidate held against a base. result: everything that was found, as plain values."""

    result: RunComparison

    @property
    def verdict(self) -> str | None:
        """``pass``, ``regression``, ``inconclusive`` or ``not comparable``; None without a gate."""
        return self.result.verdict

    def metrics(self) -> pd.DataFrame:
        """One row per task and metric, the primary ones first: values, difference (candidate less base) with its 95%
        interval (that of the gate's level under a gate), p-values of the sign-flip test, changed samples, counts."""
        return pd.DataFrame([{"task": task.task, **_flat(item)} for task in self.result.tasks for item in task.metrics])

    def strata(self) -> pd.DataFrame:
        """The same for the primary metric of each stratum: task, dimension, stratum, then what ``metrics`` has."""
        return pd.DataFrame(
            [
                {"task": task.task, "dimension": dimension, "stratum": name, **_flat(item)}
                for task in self.result.tasks
                for dimension, found in task.strata.items()
                for name, item in found.items()
            ]
        )

    def flips(self) -> pd.DataFrame:
        """The samples whose value of the primary metric changed, those that got worse first."""
        rows = [{"task": task.task, **asdict(flip)} for task in self.result.tasks for flip in task.flips]
        return pd.DataFrame(rows, columns=["task", "id", "case", "base", "candidate"])

    def checks(self) -> pd.DataFrame:
        """The lines of the gate."""
        return pd.DataFrame([asdict(check) for check in self.result.checks])

    def not_comparable(self) -> dict[str, str]:
        """Task -> why it was not compared."""
        return {task.task: task.not_comparable for task in self.result.tasks if task.not_comparable}

    def task(self, name: str | None = None) -> TaskComparison:
        """What was found of a task, by default of the first that was compared. Raises KeyError for an unknown one."""
        found = {task.task: task for task in self.result.tasks}
        if name is not None:
            return found[name]
        return next((task for task in found.values() if task.metrics), next(iter(found.values())))

    def _repr_html_(self) -> str:
        return str(self.metrics().to_html(index=False, float_format=lambda value: f"{value:.3f}"))


def compare(
    base: str | Path | Run,
    candidate: str | Path | Run,
    *,
    tasks: Sequence[str] | None = None,
    gate: str | Path | None = None,
    allow: Collection[str] = (),
) -> Comparison:
    """Hold a candidate's run against a base run, as ``m3dbench compare`` does: paired by sample, tested by case.

    base, candidate: run folders, or runs that were loaded. tasks: all of the base (or of the gate) if omitted. gate:
    rules (TOML) that end in a verdict. allow: facts that may differ. Raises UserError when there is no run.
    """
    rules = read_rules(Path(gate)) if gate is not None else None
    folders = [RunFolder.open(Path(run.path if isinstance(run, Run) else run)) for run in (base, candidate)]
    (found,) = compare_runs(folders[0], folders[1:], tasks, rules=rules, allow=allow)
    return Comparison(found)


def _flat(item: Paired) -> dict[str, Any]:
    found = asdict(item)
    interval = found.pop("interval") or {}
    return {**found, "low": interval.get("low"), "high": interval.get("high")}
