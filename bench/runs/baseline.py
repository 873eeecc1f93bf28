"""The blind baseline beside a run: kept in the user's cache, keyed by the facts that make two runs comparable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from m3dbench import registry
from m3dbench.adapter import Adapter
from m3dbench.cache import cache_dir
from m3dbench.data.dataset import DataSource
from m3dbench.data.manifest import canonical
from m3dbench.errors import UserError
from m3dbench.progress import Progress
from m3dbench.runs import jsonl, lock
from m3dbench.runs.engine import Settings, run_task
from m3dbench.runs.folder import RunFolder
from m3dbench.task import Task

ROLE = "blind"


def keep(run: RunFolder, task: str) -> None:
    """Remember the summary of a blind run for the runs that are comparable with it."""
    place = _place(run, task)
    place.parent.mkdir(parents=True, exist_ok=True)
    jsonl.write_document(place, json.loads(run.task(task).summary.read_text(encoding="utf-8")))


def find(run: RunFolder, task: str) -> Mapping[str, Any] | None:
    """The summary of a blind run comparable with this one, None where none was made yet."""
    place = _place(run, task)
    if not place.is_file():
        return None
    summary: Mapping[str, Any] = json.loads(place.read_text(encoding="utf-8"))["tasks"][task]
    return summary


def make(
    task: Task[Any], source: DataSource, settings: Settings, run: RunFolder, progress: Progress
) -> Mapping[str, Any] | None:
    """Run the blind baseline on the same test set, in the cache; None where it does not do the task or cannot."""
    adapter = blind_adapter(task.name)
    if adapter is None:
        return None
    place = RunFolder.create(_place(run, task.name).with_suffix(""))
    try:
        with lock.hold(place.path):
            place.begin()
            run_task(task, adapter, source, place, settings, progress)
    except UserError:
        return None  # without a train split there is no blind baseline; the run itself stands
    keep(place, task.name)
    return find(run, task.name)


def blind_adapter(task: str) -> Adapter | None:
    """The installed adapter that answers a task without looking, None where there is none."""
    for name in registry.available("adapters"):
        factory = registry.load("adapters", name)
        if getattr(factory, "role", "") == ROLE and task in factory.tasks:
            adapter: Adapter = registry.create("adapters", name)
            return adapter
    return None


def _place(run: RunFolder, task: str) -> Path:
    comparable = run.content()["tasks"][task]["facts"]["comparable"]
    digest = hashlib.sha256(canonical(comparable).encode()).hexdigest()
    return cache_dir() / "baselines" / f"{task}-{digest[:16]}.json"
