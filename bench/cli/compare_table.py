"""A comparison in the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from m3dbench.cli.console import PLAIN, out
from m3dbench.report.comparison.files import interval_title, metric_cells
from m3dbench.report.comparison.result import Check, Paired, RunComparison, TaskComparison, Verdict

COLOURS: dict[Verdict, str] = {
    "pass": "green",
    "regression": "bold red",
    "inconclusive": "yellow",
    "not comparable": "bold yellow",
}
COLUMNS = ("metric", "base", "candidate", "difference", "interval", "p", "better/worse/same")
LESS_NEEDED = "better/worse/same"


def show(run: RunComparison, flips: int) -> None:
    """Every task's differences, and the gate's checks with the verdict at the end."""
    out.print(f"[bold]{escape(run.candidate)}[/] against [bold]{escape(run.base)}[/]", highlight=False)
    for task in run.tasks:
        _task(task, flips)
    if run.verdict is None:
        return
    out.print(_checks(run.checks))
    out.print(f"Verdict: [{COLOURS[run.verdict]}]{run.verdict}[/]", highlight=False)


def _task(task: TaskComparison, flips: int) -> None:
    size = f"  {task.metrics[0].n_samples:,} samples, {task.metrics[0].n_cases:,} cases" if task.metrics else ""
    out.print(f"\n[bold]{escape(task.task)}[/]{size}", highlight=False)
    if task.not_comparable:
        out.print(f"  Not comparable: {escape(task.not_comparable)}", style="yellow", highlight=False, soft_wrap=True)
        return
    out.print(_metrics(task))
    upstream = len(task.metrics) - len(_shown(task))
    if upstream:
        metrics = "metric is" if upstream == 1 else "metrics are"
        out.print(f"  {upstream} upstream {metrics} in --json and --markdown.", style="dim", **PLAIN)
    if task.identical:
        out.print("  Every prediction is the same.", style="dim", **PLAIN)
    for flip in task.flips[:flips]:
        out.print(f"  {flip.id}: {flip.base:.3f} -> {flip.candidate:.3f}", style="dim", **PLAIN)
    if len(task.flips) > flips:
        out.print(
            f"  ... {len(task.flips):,} samples changed {task.primary}; --json has them all.", style="dim", **PLAIN
        )
    for name in task.allowed:
        out.print(f"  Compared although {name} differs (--allow).", style="yellow", **PLAIN)
    for what, why in task.skipped.items():
        out.print(f"  {what} is not compared: {why}", style="dim", **PLAIN)


def _shown(task: TaskComparison) -> list[Paired]:
    """The corrected metrics, or the upstream ones of runs that have no others."""
    return [item for item in task.metrics if item.scoring != "upstream"] or list(task.metrics)


def _metrics(task: TaskComparison) -> Table:
    """The shown metrics; a narrow terminal loses the counts of changed samples."""
    wide = _of_columns(task, COLUMNS)
    fits = out.measure(wide, options=out.options.update(max_width=1000)).maximum <= out.width
    return wide if fits else _of_columns(task, tuple(name for name in COLUMNS if name != LESS_NEEDED))


def _of_columns(task: TaskComparison, columns: tuple[str, ...]) -> Table:
    shown = table(columns, right=COLUMNS[1:])
    shown.columns[columns.index("interval")].header = interval_title(task)
    for item in _shown(task):
        significant = item.p_two_sided is not None and item.p_two_sided <= 0.05
        colour = "" if not significant else "red" if item.worse else "green"
        shown.add_row(*(escape(cell) for cell in metric_cells(item, task.primary)[: len(columns)]), style=colour)
    return shown


def _checks(checks: tuple[Check, ...]) -> Table:
    shown = table(("task", "check", "verdict", "found", "required"))
    for check in checks:
        verdict = f"[{COLOURS[check.verdict]}]{check.verdict}[/]"
        found = escape(f"{check.found} ({check.why})" if check.why else check.found)
        shown.add_row(check.task, escape(check.name), verdict, found, escape(check.required))
    return shown


def table(columns: tuple[str, ...], right: tuple[str, ...] = ()) -> Table:
    """An empty table in the house's style; columns named in ``right`` hold numbers."""
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in columns:
        table.add_column(title, justify="right" if title in right else "left", no_wrap=title in COLUMNS)
    return table
