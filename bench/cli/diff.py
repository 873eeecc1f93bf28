"""``m3dbench diff``: where the corrected and the upstream scoring of a run disagree, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from m3dbench.report.diff import TaskDiff


def diff(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `run` or `score` wrote.")],
    task: Annotated[str | None, typer.Option(help="Task, or several with commas; all of the run's if omitted.")] = None,
    limit_rows: Annotated[
        int, typer.Option(min=0, help="Items shown of each metric and quirk; 0 shows the totals alone.")
    ] = 3,
    json: Annotated[Path | None, typer.Option("--json", help="Write every item to this JSON file.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write what is shown as Markdown.")] = None,
) -> None:
    """Show where the corrected and the upstream scoring of a run disagree, and which quirk is the cause.

    Needs no data and no model. Exit status: 0 done, 2 wrong call or bad input.
    """
    from m3dbench.cli.console import PLAIN, out
    from m3dbench.report.diff import diff_run
    from m3dbench.report.diff_files import to_json, to_markdown
    from m3dbench.report.quirks import quirk
    from m3dbench.runs import jsonl
    from m3dbench.runs.folder import RunFolder

    run = RunFolder.open(folder)
    diffs = diff_run(run, [name.strip() for name in task.split(",")] if task else None)
    for found in diffs:
        show(found, limit_rows)
    for name in sorted({item.quirk for found in diffs for item in found.items}):
        out.print(f"{name}: {quirk(name).effect}", style="dim", **PLAIN)
    hidden = sorted({item.id for found in diffs for item in found.hidden})
    if hidden:
        out.print(f"No single item shows {', '.join(hidden)}; --markdown says what they do.", style="dim", **PLAIN)
    name = folder.resolve().name
    if json is not None:
        json.parent.mkdir(parents=True, exist_ok=True)
        jsonl.write_document(json, to_json(name, diffs))
    if markdown is not None:
        markdown.parent.mkdir(parents=True, exist_ok=True)
        jsonl.replace(markdown, to_markdown(name, diffs, limit_rows).encode())
    for written in (json, markdown):
        if written is not None:
            out.print(f"Wrote {written}", **PLAIN)


def show(found: TaskDiff, limit: int) -> None:
    """The totals of a task as a table, and some items of each."""
    from rich.markup import escape
    from rich.table import Table

    from m3dbench.cli.console import PLAIN, out
    from m3dbench.report.diff_files import headline, measures, shorten, values
    from m3dbench.report.quirks import quirk

    out.print(f"[bold]{escape(found.title)}[/]  {escape(headline(found))}", highlight=False, soft_wrap=True)
    totals = found.totals()
    if totals:
        table = Table(header_style="bold", pad_edge=False)
        for title in ("metric", "quirk", "cause", "items", "mean change", "status, corrected -> upstream"):
            table.add_column(title, justify="right" if title in ("items", "mean change") else "left")
        for total in totals:
            name = quirk(total.quirk)
            table.add_row(escape(total.metric), name.id, escape(name.title), *measures(total, found.compared))
        out.print(table)
    for total in totals if limit else ():
        out.print(f"  {total.metric}, {total.quirk}", style="bold", **PLAIN)
        for item in found.of(total)[:limit]:
            corrected, upstream = values(item)
            told = f"answer {shorten(item.prediction, 60)!r}, reference {shorten(item.reference, 60)!r}"
            out.print(f"    {item.id}: {corrected} -> {upstream}; {told}", **PLAIN)
    out.print()
