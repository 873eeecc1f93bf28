"""``m3dbench compare``: runs held against a base, and a gate for CI."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from m3dbench.errors import ExitCode

EXIT = {"pass": ExitCode.OK, "regression": ExitCode.ERRORS_OVER_BUDGET}
FLIPS = 5


def compare(
    base: Annotated[Path, typer.Argument(help="Run folder to compare with.")],
    candidates: Annotated[list[Path], typer.Argument(metavar="CANDIDATE...", help="Run folders of the candidates.")],
    task: Annotated[str | None, typer.Option(help="Task, or several with commas; all of the base if omitted.")] = None,
    gate: Annotated[Path | None, typer.Option(help="Rules (TOML) that end in a verdict and an exit status.")] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="A fact that may differ: manifest, requests, ..., a metric. Repeatable."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="Write everything to this JSON file.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", dir_okay=False, help="Write a report, as for a job summary.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", dir_okay=False, help="Write the gate's checks as JUnit XML.")
    ] = None,
) -> None:
    """Compare candidates with a base run, paired by sample and tested by case; needs no data and no model.

    Exit status: 0 compared, or passed the gate; 1 regression; 2 wrong call or bad input; 3 inconclusive or not
    comparable.
    """
    from m3dbench.cli.compare_table import show
    from m3dbench.cli.console import PLAIN, Bars, out
    from m3dbench.errors import UserError
    from m3dbench.report.comparison.files import overall, to_json, to_junit, to_markdown
    from m3dbench.report.comparison.rules import read_rules
    from m3dbench.report.comparison.runs import compare_runs, tasks_asked
    from m3dbench.runs import jsonl
    from m3dbench.runs.folder import RunFolder

    if junit is not None and gate is None:
        raise UserError("--junit writes the checks of a gate", field="--junit", fix="add --gate gate.toml")
    rules = read_rules(gate) if gate is not None else None
    ours, theirs = RunFolder.open(base), [RunFolder.open(path) for path in candidates]
    names = [name.strip() for name in task.split(",")] if task else None
    asked = tasks_asked(ours, names, rules)
    with Bars() as bars, bars.stage("comparing", len(theirs) * len(asked)) as advance:
        compared = compare_runs(ours, theirs, asked, rules=rules, allow=allow or (), advance=advance)
    for run in compared:
        show(run, FLIPS)
    forms: dict[Path | None, Callable[[], bytes]] = {
        json: lambda: jsonl.document(to_json(compared)),
        markdown: lambda: to_markdown(compared).encode(),
        junit: lambda: to_junit(compared),
    }
    for path, content in forms.items():
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            jsonl.replace(path, content())
            out.print(f"Wrote {path}", **PLAIN)
    verdict = overall(compared)
    if verdict is not None:
        raise typer.Exit(EXIT.get(verdict, ExitCode.NOTHING_TO_SCORE))
    if any(found.not_comparable for run in compared for found in run.tasks):
        raise typer.Exit(ExitCode.NOTHING_TO_SCORE)
