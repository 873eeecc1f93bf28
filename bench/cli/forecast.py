"""``m3dbench run --dry-run``: what a model behind a paid endpoint would take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from m3dbench.errors import ExitCode, UserError

if TYPE_CHECKING:
    from m3dbench.adapter import Adapter
    from m3dbench.chat.cost import Estimate
    from m3dbench.data.dataset import DataSource
    from m3dbench.progress import Progress
    from m3dbench.runs.engine import Settings


def forecast(
    tasks: Sequence[str], adapter: Adapter, source: DataSource, place: Path, settings: Settings, progress: Progress
) -> None:
    """Print requests, tokens and cost of what a run in ``place`` has not answered yet; nothing is asked or written.

    Raises UserError for a model that is not paid for.
    """
    from m3dbench import registry
    from m3dbench.chat.cost import Estimate
    from m3dbench.cli.console import warn
    from m3dbench.runs.engine import estimate_task
    from m3dbench.runs.folder import TaskFolder
    from m3dbench.runs.journal import Rows

    found: dict[str, Estimate] = {}
    for name in tasks:
        done = set(Rows(TaskFolder(place / name).predictions))
        try:
            estimate = estimate_task(registry.create("tasks", name), adapter, source, settings, done, progress)
        except UserError as error:
            if error.code is not ExitCode.NOTHING_TO_SCORE:
                raise
            warn(f"{name}: {error.message}")
            continue
        if estimate is None:
            raise UserError(f"{adapter.name} works on this machine: there is nothing to estimate", field="--dry-run")
        found[name] = estimate
    show_estimates(found, sum(found.values(), Estimate()))


def show_estimates(estimates: dict[str, Estimate], total: Estimate) -> None:
    """A table: one row each, and their sum."""
    from m3dbench.cli.console import PLAIN, out
    from m3dbench.cli.table import laid_out

    rows = {**estimates, **({"total": total} if len(estimates) > 1 else {})}
    out.print(
        laid_out(
            {
                "task": list(rows),
                "requests": [f"{one.requests:,}" for one in rows.values()],
                "tokens in, about": [f"{one.used.prompt_tokens:,}" for one in rows.values()],
                "tokens out, at most": [f"{one.used.completion_tokens:,}" for one in rows.values()],
                "cost, at most about": [
                    "no price given" if one.cost is None else f"{one.cost:.4f}" for one in rows.values()
                ],
            }
        )
    )
    out.print("Nothing was sent. Replies in a cache are not taken off.", **PLAIN)
