"""Controls on the command line: which tasks they move, and the plain run they are compared with."""

from __future__ import annotations

from pathlib import Path

from m3dbench import registry
from m3dbench.cli.console import warn
from m3dbench.errors import UserError
from m3dbench.runs import drops
from m3dbench.runs.control import applies
from m3dbench.runs.engine import Settings, make_metrics
from m3dbench.runs.folder import RunFolder
from m3dbench.runs.summary import TaskSummary


def moved_by(control: str, task: str) -> bool:
    """Whether the task has what the control changes."""
    return applies(control, registry.load("tasks", task).answer)


def compare_with_plain(
    summaries: list[TaskSummary], folder: RunFolder, against: RunFolder | None, default: Path, settings: Settings
) -> list[TaskSummary]:
    """The summaries with their drops. Without ``against`` the default folder is tried, and what it lacks only noted."""
    if against is None and not (default / "run.json").is_file():
        warn(f"no drop is shown: there is no plain run at {default}; {drops.AGAIN} (or give --against RUN)")
        return summaries
    compared = []
    for summary in summaries:
        metrics = make_metrics(registry.create("tasks", summary.task), settings)
        try:
            compared.append(drops.add(summary, folder, against or RunFolder.open(default), metrics))
        except UserError as error:
            if against is not None:
                raise
            warn(f"{summary.task}: no drop is shown: {error.message} ({default}); {error.fix}")
            compared.append(summary)
    return compared
