"""What the viewer says of the runs as a whole, before any sample is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from m3dbench.report.viewer.shown_run import ShownRun, ShownTask

LETTERS = "AB"


def overview(runs: Sequence[ShownRun], counts: Sequence[int], piece: int, page: int) -> dict[str, Any]:
    """Runs, and tasks of the first with their metrics. counts: samples shown, by task."""
    first, *others = runs
    tasks = []
    for name, count in zip(first.entries, counts, strict=True):
        shown = [run.task(name) if name in run.entries else None for run in runs]
        tasks.append(_task(name, first.entries[name], count, shown))
    models = [sorted({str(entry.get("model", "")) for entry in run.entries.values()}) for run in runs]
    return {
        "runs": [
            {"letter": letter, "name": run.name, "models": told}
            for letter, run, told in zip(LETTERS, runs, models, strict=False)
        ],
        "tasks": tasks,
        "piece": piece,
        "page": page,
        "only": [name for run in others for name in run.entries if name not in first.entries],
    }


def _task(name: str, entry: Mapping[str, Any], count: int, shown: Sequence[ShownTask | None]) -> dict[str, Any]:
    task = shown[0]
    assert task is not None  # noqa: S101 - the tasks are those of the first run
    known: dict[tuple[str, str], dict[str, Any]] = {}
    for one in shown:
        for metric in one.summary.get("metrics", ()) if one is not None else ():
            key = metric["scoring"], metric["metric"]
            told = {"scoring": key[0], "metric": key[1], "direction": metric["direction"], "worst": metric["worst"]}
            known.setdefault(key, told)
    return {
        "name": name,
        "title": entry.get("title", name),
        "count": count,
        "of": len(task.ids),
        "primary": task.summary.get("primary", ""),
        "metrics": list(known.values()),
        "gone": "" if task.root.is_dir() else str(task.root),
        "runs": [None if one is None else _run(one, task) for one in shown],
    }


def _run(task: ShownTask, first: ShownTask) -> dict[str, Any]:
    values = {}
    for metric in task.summary.get("metrics", ()):
        values[f"{metric['scoring']}:{metric['metric']}"] = metric["micro"].get("value")
    return {
        "model": task.entry.get("model", ""),
        "status": task.entry.get("status", ""),
        "control": task.entry.get("control", ""),
        "samples": len(task.ids),
        "shared": len(set(task.ids) & set(first.ids)),
        "values": values,
    }
