"""``m3dbench leaderboard``: submissions from runs, checks, a built board, and where it is published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from m3dbench.cli.options import TemplatesOption
from m3dbench.errors import ExitCode

if TYPE_CHECKING:
    from m3dbench.report.leaderboard.board import Board

app = typer.Typer(help="Leaderboards from files: add runs, check, build, publish.", no_args_is_help=True)
BoardOption = Annotated[Path, typer.Argument(metavar="DIR", help="The leaderboard's folder.")]


@app.command()
def add(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that `run` or `score` wrote.")],
    board: Annotated[Path, typer.Option(help="The leaderboard's folder; made if it is not there.")],
    task: Annotated[str | None, typer.Option(help="Task, or several with commas; all of the run if omitted.")] = None,
    name: Annotated[str, typer.Option(help="The model's name; the run's if omitted.")] = "",
    model_version: Annotated[str, typer.Option("--model-version", help="Its version; the run's if omitted.")] = "",
    submitter: Annotated[str, typer.Option(help="Who submits.")] = "",
    link: Annotated[
        list[str] | None, typer.Option(metavar="NAME=URL", help="An https address: paper, code, ... Repeatable.")
    ] = None,
    note: Annotated[str, typer.Option(help="What readers should know.")] = "",
    train_data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:SPLIT],...", help="Data that the model was trained on, with commas; `none` for none of it."
        ),
    ] = None,
    predictions: Annotated[
        bool, typer.Option("--predictions/--no-predictions", help="Include the answers, to be scored again.")
    ] = True,
    arrays: Annotated[bool, typer.Option("--arrays", help="Include masks and embeddings too (large).")] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="A demonstration: phantom and partial data are accepted and marked.")
    ] = False,
    title: Annotated[str, typer.Option(help="Title of a board that is made now.")] = "",
) -> None:
    """Add finished runs to a leaderboard, a submission each.

    Refused: unfinished runs, controls, the phantom, runs with --limit, too many errors, the same answers again.
    Exit status: 0 added, 2 refused.
    """
    import datetime

    from m3dbench.cli.console import PLAIN, out
    from m3dbench.cli.options import key_values
    from m3dbench.report.leaderboard.adding import Told
    from m3dbench.report.leaderboard.adding import add as add_runs
    from m3dbench.report.leaderboard.folder import RULES, open_or_new
    from m3dbench.runs.folder import RunFolder

    folders = [RunFolder.open(path) for path in runs]
    place = open_or_new(board, title=title, demonstration=demo)
    declared = [part.strip() for part in train_data.split(",") if part.strip()] if train_data is not None else None
    told = Told(
        submitted=datetime.datetime.now(datetime.UTC).date().isoformat(),
        model=name,
        version=model_version,
        submitter=submitter,
        links=key_values(link, "--link"),
        note=note,
        train_data=None if declared is None else tuple(item for item in declared if item != "none"),
        predictions=predictions,
        arrays=arrays,
    )
    tasks = [part.strip() for part in task.split(",")] if task else None
    for added in add_runs(folders, place, told, tasks):
        out.print(f"Added {added}: {', '.join(place.read(added).tasks)}", **PLAIN)
    if place.rules.demonstration:
        out.print(f"{board} is a demonstration ({RULES}): every output says so.", style="yellow", **PLAIN)
    out.print(f"Next: m3dbench leaderboard build {board} --out site", style="dim", **PLAIN)


@app.command()
def check(
    board: BoardOption,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="Data directory with references: predictions are scored again. Repeatable."),
    ] = None,
    templates: TemplatesOption = None,
) -> None:
    """Recompute every number of the submissions: from their scores, and with --data from their predictions.

    Exit status: 0 everything holds, 1 something does not, 2 wrong call or bad input.
    """
    from tempfile import TemporaryDirectory

    from m3dbench.cli.console import PLAIN, Bars, out, warn
    from m3dbench.cli.leaderboard_table import show_findings
    from m3dbench.cli.options import RequestsChoice, wordings
    from m3dbench.report.leaderboard.folder import BoardFolder
    from m3dbench.report.leaderboard.rescoring import Rescorer
    from m3dbench.report.leaderboard.verified import check_board
    from m3dbench.runs.engine import open_data

    place = BoardFolder.open(board)
    words = wordings(RequestsChoice.UPSTREAM, templates) if templates is not None else None
    sources = [open_data(path) for path in data or ()]
    with TemporaryDirectory() as work, Bars() as bars:
        done = check_board(place, Rescorer(sources, Path(work), words) if sources else None, bars)
    findings = [finding for one in done for finding in one.findings]
    notes = [told for one in done for told in one.notes]
    for text in dict.fromkeys(text for _, text in notes):
        where = [place for place, other in notes if other == text]
        warn(f"{text} ({where[0]}{f' and {len(where) - 1} more' if len(where) > 1 else ''})")
    how = [way for one in done for way in one.verified.values()]
    counted = ", ".join(f"{how.count(way)} {way}" for way in dict.fromkeys(sorted(how)) if way != "not")
    out.print(f"{len(done)} submissions, {len(how)} tasks; verified: {counted or 'none'}", **PLAIN)
    show_findings(findings)
    if findings:
        raise typer.Exit(int(ExitCode.ERRORS_OVER_BUDGET))
    out.print("[green]Everything holds.[/]", highlight=False)


@app.command()
def build(
    board: BoardOption,
    out: Annotated[Path, typer.Option("--out", help="Folder for README.md, CSV, JSON, model cards and pages.")],
) -> None:
    """Rank the submissions and write the board in every form; needs no data and no model.

    Exit status: 0 built, 1 a submission does not hold (see `check`), 2 wrong call or bad input.
    """
    from m3dbench.cli.console import PLAIN
    from m3dbench.cli.console import out as console
    from m3dbench.cli.leaderboard_table import show
    from m3dbench.report.leaderboard.writing import PAGE

    made = _built(board, out)
    show(made)
    pages = sum(1 for path in out.rglob("*.html"))
    console.print(f"Wrote {out}: {PAGE}, leaderboard.csv, board.json, model-index, {pages} pages", **PLAIN)
    if (out / "index.html").is_file():
        console.print(f"Open {out / 'index.html'}", **PLAIN)


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `build` wrote, or the leaderboard's folder.")],
    to: Annotated[str, typer.Option(metavar="hf:OWNER/SPACE|dir:PATH", help="A static Space, or a folder.")],
) -> None:
    """Publish a built leaderboard. For the hub, HF_TOKEN or the hub's own login is used; demonstrations are refused."""
    from tempfile import TemporaryDirectory

    from m3dbench.cli.console import PLAIN, out
    from m3dbench.report.leaderboard.folder import RULES
    from m3dbench.report.leaderboard.publishing import publish as put

    with TemporaryDirectory() as work:
        site = folder
        if (folder / RULES).is_file():
            site = Path(work) / "site"
            _built(folder, site)
        out.print(f"Published at {put(site, to)}", **PLAIN)


def _built(board: Path, out: Path) -> Board:
    from m3dbench.cli.console import Bars
    from m3dbench.cli.leaderboard_table import show_findings
    from m3dbench.report.leaderboard.building import build_board
    from m3dbench.report.leaderboard.folder import BoardFolder
    from m3dbench.report.leaderboard.verified import verified
    from m3dbench.report.leaderboard.writing import write_board

    place = BoardFolder.open(board)
    with Bars() as bars:
        known, findings = verified(place, bars)
        if not findings:
            with bars.stage("building", None):
                made = build_board(place, known)
                write_board(made, out)
    if findings:
        show_findings(findings)
        raise typer.Exit(int(ExitCode.ERRORS_OVER_BUDGET))
    return made
