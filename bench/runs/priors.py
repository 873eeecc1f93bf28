"""Language priors: how far the blind baseline gets on questions with choices, without looking at a volume."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from m3dbench import registry
from m3dbench.data.dataset import DataSource
from m3dbench.errors import UserError
from m3dbench.progress import Progress
from m3dbench.runs.baseline import blind_adapter
from m3dbench.runs.engine import Settings, run_task
from m3dbench.runs.folder import RunFolder
from m3dbench.task import Task


def language_priors(source: DataSource, split: str, progress: Progress) -> list[dict[str, Any]]:
    """The primary metric of the blind baseline on every task with choices: overall with interval, chance, per question
    type; ``why`` says why there is none where it cannot be run. Nothing is kept of the run."""
    found: list[dict[str, Any]] = []
    for name in registry.available("tasks"):
        task: Task[Any] = registry.create("tasks", name)
        if task.answer != "choice" or not any(source.offers(kind, split) for kind in task.records):
            continue
        adapter = blind_adapter(name)
        if adapter is None:
            continue
        about = {"task": name, "test_set": split, "metric": task.primary}
        with tempfile.TemporaryDirectory() as place:
            run = RunFolder.create(Path(place) / "run")
            run.begin()
            try:
                summary = run_task(task, adapter, source, run, Settings(split, scorings=("corrected",)), progress)
            except UserError as error:
                found.append({**about, "why": error.message})
                continue
        metric = summary.metric(task.primary)
        if metric is None or metric.micro.value is None:
            continue
        interval = metric.micro.interval
        found.append(
            {
                **about,
                "value": metric.micro.value,
                "interval": [interval.low, interval.high] if interval is not None else None,
                "chance": metric.micro.chance,
                "samples": metric.micro.n_planned,
                "by": {
                    stratum: {"value": cell.value, "chance": cell.chance, "samples": cell.n_planned}
                    for stratum, cell in metric.strata.get(task.macro, {}).items()
                },
            }
        )
    return found
