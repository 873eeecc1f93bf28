"""``m3dbench data check``: what is wrong with a data directory."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from m3dbench.errors import ExitCode

if TYPE_CHECKING:
    from m3dbench.data.check.report import Report

COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}
SHOWN = 3


class Format(StrEnum):
    """How a report is shown."""

    TABLE = "table"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="On the terminal: a table, or the report as JSON.")]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the report as JSON.")]


def check(
    directory: Annotated[Path, typer.Argument(help="Data directory in the M3D layout.")],
    json_file: JsonOption = None,
    form: FormatOption = Format.TABLE,
    examples: Annotated[int, typer.Option(min=1, help="Examples kept of each kind of finding.")] = 5,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one a processor if omitted.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Look at sizes and headers only; the values of volumes are not read.")
    ] = False,
) -> None:
    """Go through everything a data directory holds and tell what is wrong with it.

    Exit status: 0 no errors found, 1 errors found, 2 wrong call.
    """
    from m3dbench.cli.console import Bars
    from m3dbench.data.check.check import check as check_data
    from m3dbench.runs.engine import open_data

    with Bars() as bars:
        report = check_data(open_data(directory), quick=quick, examples=examples, workers=workers, progress=bars)
    if form is Format.JSON:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False, indent=1))
    else:
        _show(report)
    write_report(json_file, report.to_json(), silent=form is Format.JSON)
    if report.count("error"):
        raise typer.Exit(int(ExitCode.FINDINGS))


def write_report(file: Path | None, content: dict[str, Any], *, silent: bool) -> None:
    """Write a report where a file is named. Raises UserError when it cannot be written."""
    from m3dbench.cli.console import PLAIN, out
    from m3dbench.errors import UserError
    from m3dbench.runs.jsonl import write_document

    if file is None:
        return
    try:
        write_document(file, content)
    except OSError as error:
        raise UserError(f"the report cannot be written: {error.strerror}", file=file, field="--json") from error
    if not silent:
        out.print(f"Wrote {file}", **PLAIN)


def _show(report: Report) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from m3dbench.cli.console import PLAIN, out
    from m3dbench.data.check.kinds import KINDS, SEVERITIES

    sets = ", ".join(report.datasets)
    how = ", headers only" if report.quick else ""
    out.print(f"{report.directory} ({report.kind}): {sets}; {report.files:,} files looked at{how}", **PLAIN)
    sizes = Table("split", "holds", box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for size in report.sizes:
        told = ", ".join(f"{number:,} {what}" for what, number in size.counts.items())
        sizes.add_row(escape(size.name), told + ("  [green]as published[/]" if _as_published(size) else ""))
    out.print(sizes)
    for kind in report.kinds():
        about, kept = KINDS[kind], report.examples[kind]
        head = f"[{COLOURS[about.severity]}]{about.severity:<7}[/]  {report.counts[kind]:>7,}  {about.title}"
        out.print(head, highlight=False, soft_wrap=True)
        if about.severity != "note":
            for finding in kept[:SHOWN]:
                place = ": ".join(filter(None, (finding.file, finding.record, finding.field)))
                told = f"  ({finding.detail})" if finding.detail else ""
                out.print(f"                    {place}{told}", style="dim", **PLAIN)
            if report.counts[kind] > SHOWN:
                out.print(f"                    ... and {report.counts[kind] - SHOWN:,} more", style="dim", **PLAIN)
            out.print(f"                    fix: {about.fix}", **PLAIN)
    numbers = {severity: report.count(severity) for severity in SEVERITIES}
    counts = ", ".join(f"{number:,} {severity}{'s' * (number != 1)}" for severity, number in numbers.items())
    out.print(f"{'Nothing wrong found' if not report.count('error') else 'Errors found'}: {counts}.", **PLAIN)


def _as_published(size: Any) -> bool:
    return bool(size.published) and not size.differing
