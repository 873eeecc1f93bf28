"""What charts read of runs: values by metric, units, labels, and which fractions fit on one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from m3dbench import registry
from m3dbench.errors import UserError
from m3dbench.report.comparison.result import Paired
from m3dbench.report.scored_by import scored_by
from m3dbench.runs.load import Run, load_run
from m3dbench.task import Scoring

Runs = Run | str | Path


def named_runs(runs: Runs | Sequence[Runs] | Mapping[str, Runs]) -> dict[str, Run]:
    if isinstance(runs, Mapping):
        return {name: opened_run(run) for name, run in runs.items()}
    several = [runs] if isinstance(runs, Run | str | Path) else list(runs)
    opened = [opened_run(run) for run in several]
    names = [run.path.resolve().name for run in opened]
    if len(set(names)) < len(names):
        names = [str(run.path) for run in opened]
    return dict(zip(names, opened, strict=True))


def opened_run(run: Runs) -> Run:
    return run if isinstance(run, Run) else load_run(run)


def summary_of(run: Run, task: str) -> Mapping[str, Any]:
    if task not in run.summary["tasks"]:
        there = ", ".join(run.summary["tasks"])
        raise UserError(f"the run has no results of {task!r}", file=run.path, fix=f"it has: {there}")
    found: Mapping[str, Any] = run.summary["tasks"][task]
    return found


def values_of(run: Run, task: str, scoring: Scoring) -> dict[str, Mapping[str, Any]]:
    metrics = summary_of(run, task)["metrics"]
    return {item["metric"]: item["micro"] for item in metrics if item["scoring"] == scoring}


def metrics_of(task: str, metrics: Sequence[Any]) -> dict[tuple[str, str], Any]:
    recorded: dict[str, dict[str, str]] = {}
    for item in metrics:
        scoring, name = (item["scoring"], item["metric"]) if isinstance(item, Mapping) else (item.scoring, item.metric)
        recorded.setdefault(scoring, {})[name] = ""
    return dict(scored_by(task, recorded)[0])


def unit_of(run: Run, task: str, scoring: Scoring, metric: str) -> str:
    made = metrics_of(task, [item for item in summary_of(run, task)["metrics"] if item["metric"] == metric])
    found = made.get((scoring, metric))
    return "fraction" if found is None else str(found.unit)


def fractions_of(run: Run, task: str, scoring: Scoring) -> list[str]:
    primary = registry.create("tasks", task).primary
    names = [name for name in values_of(run, task, scoring) if unit_of(run, task, scoring, name) == "fraction"]
    return sorted(names, key=lambda name: name != primary)


def difference_of(item: Paired) -> Mapping[str, Any]:
    interval = None if item.interval is None else {"low": item.interval.low, "high": item.interval.high}
    return {"value": item.difference, "interval": interval}


def exceeds(value: Mapping[str, Any] | None) -> bool:
    """Whether a fraction that has no bound, as the error of a volume, would press all others together."""
    if value is None or value["value"] is None:
        return False
    interval = value["interval"]
    limits = [value["value"], *((interval["low"], interval["high"]) if interval else ())]
    return any(abs(limit) > 1.0 for limit in limits)


def left_out(beyond: Sequence[str]) -> str:
    return f"\nbeyond 100, not shown: {', '.join(beyond)}" if beyond else ""


def label_of(metric: str, run: Run, task: str, scoring: Scoring) -> str:
    items = summary_of(run, task)["metrics"]
    lower = any(item["metric"] == metric and item["direction"] == "lower" for item in items)
    return f"{metric} ↓" if lower else metric


def refuse_unknown(chosen: Sequence[str], known: Sequence[str], task: str) -> None:
    for name in chosen:
        if name not in known:
            there = ", ".join(dict.fromkeys(known))
            raise UserError(f"{task} has no metric {name!r} here", field="metrics", fix=f"there are: {there}")
