"""``m3dbench data import``: own data from a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def import_data(
    table: Annotated[Path, typer.Argument(help="CSV with one report, question, mask or box a row; see docs.")],
    directory: Annotated[Path, typer.Argument(help="Data directory to make; absent or empty.")],
    code: Annotated[str, typer.Option(help="Name of the sub-dataset of the masks.")] = "own",
    grid: Annotated[str, typer.Option(help="Grid D,H,W of the volumes.")] = "32,256,256",
    own_range: Annotated[
        bool, typer.Option("--own-range", help="Not CT in HU: scale each volume from its lowest to its highest value.")
    ] = False,
) -> None:
    """Make an M3D-style directory of your own volumes, reports, questions, masks and boxes."""
    from m3dbench.cli.console import PLAIN, Bars, out, warn
    from m3dbench.cli.options import three_sizes
    from m3dbench.data.own.importing import import_table

    with Bars() as bars:
        done = import_table(table, directory, code=code, grid=three_sizes(grid), hu=not own_range, progress=bars)
    if done.unused:
        warn(f"columns not used: {', '.join(done.unused)}")
    parts = ("cases", "volumes", "reports", "questions", "masks", "boxes")
    told = ", ".join(f"{getattr(done, part)} {part}" for part in parts if getattr(done, part))
    out.print(f"Imported {told} into {done.directory}", **PLAIN)
    out.print(f"Next: m3dbench run --model threshold --data {done.directory}", style="dim", **PLAIN)
