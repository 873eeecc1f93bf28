"""``m3dbench gate``: making gates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Make the rules that `compare --gate` applies.", no_args_is_help=True)


@app.callback()
def gate() -> None:
    """Make the rules that `compare --gate` applies."""


@app.command()
def init(
    base: Annotated[Path, typer.Argument(help="Run folder that releases will be compared with.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="TOML file to write.")] = Path("gate.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a gate from a base run: each task's primary metric, with a margin and a floor from its interval."""
    from m3dbench.cli.console import PLAIN
    from m3dbench.cli.console import out as console
    from m3dbench.errors import UserError
    from m3dbench.report.comparison.starter import starter
    from m3dbench.runs import jsonl
    from m3dbench.runs.folder import RunFolder

    run = RunFolder.open(base)
    if out.exists() and not force:
        raise UserError("the file is there already", file=out, fix="add --force to replace it, or give another --out")
    text = starter(run, run.summaries())
    out.parent.mkdir(parents=True, exist_ok=True)
    jsonl.replace(out, text.encode())
    console.print(f"Wrote {out}", **PLAIN)
    for line in text.splitlines():
        if line.startswith("# left out: "):
            console.print(f"  L{line[3:]}", style="yellow", **PLAIN)
    console.print(f"Next: m3dbench compare {base} CANDIDATE --gate {out}", style="dim", **PLAIN)
