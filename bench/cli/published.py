"""``m3dbench published``: the paper's tables, with runs beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def published(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="Run folders to show beside.")] = None,
    table: Annotated[int | None, typer.Option(help="Table of the M3D paper, 2 to 6; all if omitted.")] = None,
) -> None:
    """Print the tables of the M3D paper as published, with runs beside them under upstream scoring.

    Rows that cannot be compared with the published ones are marked, with the reason.
    """
    from rich.markup import escape

    from m3dbench.cli.compare_table import table as empty_table
    from m3dbench.cli.console import PLAIN, out
    from m3dbench.report.published.tables import layouts
    from m3dbench.report.published.tables import table as table_of
    from m3dbench.runs.folder import RunFolder

    folders = [RunFolder.open(path) for path in runs or ()]
    beside: set[str] = set()
    for number in [table] if table is not None else sorted(layouts()):
        found = table_of(number, folders)
        out.print(f"[bold]Table {number}[/]  {escape(found.title)} (arXiv 2404.00578), per cent", highlight=False)
        shown = empty_table((found.down.replace("_", " "), "model", *found.headings))
        for column in shown.columns[2:]:
            column.justify = "right"
        before = ""
        for line in found.lines:
            model = f"{line.model} †" if line.not_comparable else line.model
            cells = ["–" if value is None else f"{value:.2f}" for value in line.values]
            group = "" if line.group == before else line.group
            shown.add_row(escape(group), escape(model), *cells, style="bold" if line.run else "")
            before = line.group
            beside |= {line.model} if line.run else set()
        out.print(shown)
        for model, why in dict.fromkeys(
            (line.model, line.not_comparable) for line in found.lines if line.not_comparable
        ):
            out.print(f"  † {model} cannot be compared: {why}.", style="dim", **PLAIN)
        if any(line.run for line in found.lines):
            out.print(
                "  The reference has no aggregation code: how its rows were averaged is not known.",
                style="dim",
                **PLAIN,
            )
    for name in [run.path.resolve().name for run in folders]:
        if name not in beside:
            out.print(
                f"{name}: no finished task of it has an upstream value that stands here.", style="yellow", **PLAIN
            )
