"""The ``m3dbench`` command: one module a subcommand, each importing what it needs inside its function."""

from __future__ import annotations

import sys

import typer

from m3dbench.cli import (
    compare,
    data,
    diff,
    export,
    gate,
    judge,
    leaderboard,
    listing,
    power,
    published,
    run,
    score,
    view,
)
from m3dbench.errors import ExitCode, UserError

app = typer.Typer(
    name="m3dbench",
    help="Benchmark 3D medical multimodal models on the tasks of M3D-Bench.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("score")(score.score)
app.command("diff")(diff.diff)
app.command("compare")(compare.compare)
app.command("view")(view.view)
app.command("power")(power.power)
app.command("published")(published.published)
app.command("list")(listing.listing)
app.add_typer(gate.app, name="gate")
app.add_typer(data.app, name="data")
app.add_typer(export.app, name="export")
app.add_typer(judge.app, name="judge")
app.add_typer(leaderboard.app, name="leaderboard")


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context,
    show: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if show:
        from m3dbench import __version__

        typer.echo(f"m3dbench {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point: a user's mistake ends in a message and an exit code, never in a traceback."""
    try:
        app()
    except UserError as error:
        from m3dbench.cli.console import show_error

        show_error(error)
        sys.exit(int(error.code))
    except KeyboardInterrupt:
        typer.echo("\nStopped. What was answered is kept; the same command resumes.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(int(ExitCode.OK))
    except OSError as error:
        if error.filename is None:
            raise
        from m3dbench.cli.console import show_error

        told = UserError(f"a file cannot be read or written: {error.strerror}", file=error.filename)
        show_error(told)
        sys.exit(int(told.code))
