"""``m3dbench power``: how many cases a difference needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from m3dbench.errors import ExitCode


def power(
    base: Annotated[Path, typer.Argument(help="Run folder.")],
    candidate: Annotated[Path, typer.Argument(help="Run folder of another release on the same samples.")],
    difference: Annotated[float, typer.Option(min=1e-9, help="The difference to find, in the metric's units.")],
    task: Annotated[str | None, typer.Option(help="Task, or several with commas; all of the base if omitted.")] = None,
    target: Annotated[float, typer.Option("--power", min=0.01, max=0.999, help="Chance of finding it.")] = 0.8,
    alpha: Annotated[float, typer.Option(min=1e-6, max=0.5, help="One-sided level of the test.")] = 0.05,
) -> None:
    """Say how many cases it takes to find a difference, from how far two runs differ case by case.

    The same number of cases shows, with this chance, that a release without any difference is not worse by a margin of
    that size.
    Exit status: 0 told for a task, 2 wrong call or bad input, 3 for none.
    """
    from m3dbench.cli.compare_table import table as empty_table
    from m3dbench.cli.console import out
    from m3dbench.report.comparison.spread import primary_spread
    from m3dbench.runs.folder import RunFolder
    from m3dbench.stats import power as calculations

    ours, theirs = RunFolder.open(base), RunFolder.open(candidate)
    table = empty_table(
        ("task", "metric", "cases now", "power now", "cases needed"), right=("cases now", "power now", "cases needed")
    )
    notes = []
    for name in [part.strip() for part in task.split(",")] if task else ours.tasks():
        found = primary_spread(ours, theirs, name)
        if isinstance(found, str):
            notes.append(f"{name}: {found}")
            continue
        now = calculations.power(found.cases, found.spread, difference, alpha)
        needed = calculations.cases_needed(found.spread, difference, target, alpha)
        told = f">{calculations.LARGEST:,}" if needed is None else f"{needed:,}"
        table.add_row(name, found.metric, f"{found.cases:,}", f"{now:.0%}", told)
    if table.row_count:
        out.print(table)
    for note in notes:
        out.print(f"  {note}", style="dim", highlight=False, soft_wrap=True, markup=False)
    if not table.row_count:
        raise typer.Exit(ExitCode.NOTHING_TO_SCORE)
