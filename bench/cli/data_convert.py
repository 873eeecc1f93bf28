"""``m3dbench data convert``: public releases into the M3D layouts, by label table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from m3dbench.errors import UserError

if TYPE_CHECKING:
    from m3dbench.data.convert.converting import ConversionReport


def convert(
    name: Annotated[str, typer.Argument(help="A data set of --list, or a label table of your own: NAME.toml.")] = "",
    source: Annotated[Path | None, typer.Argument(help="Folder of the public release.")] = None,
    directory: Annotated[Path | None, typer.Argument(help="Data directory to write.")] = None,
    show: Annotated[bool, typer.Option("--list", help="List the data sets with their M3D codes and homes.")] = False,
    labels: Annotated[
        Path | None, typer.Option(help="What label numbers mean (JSON), instead of the data's or the table's own.")
    ] = None,
    code: Annotated[str, typer.Option(help="Name of the sub-dataset, instead of the table's code.")] = "",
    grid: Annotated[str, typer.Option(help="Grid D,H,W of the prepared volumes.")] = "32,256,256",
    m3d_split: Annotated[
        Path | None, typer.Option(help="CODE.json of an official M3D-Seg release: its test cases are used.")
    ] = None,
    train_fraction: Annotated[
        float | None,
        typer.Option(min=0, max=0.9, help="Share of cases for a train split, by seed [default: the table's]."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Leave bad cases out instead of failing.")] = False,
) -> None:
    """Convert a public release to the M3D-Seg layout, keeping the way back to native space."""
    from m3dbench.cli.console import Bars

    if show:
        _list()
        return
    if not name or source is None or directory is None:
        raise UserError("what to convert, and where to?", fix="m3dbench data convert NAME SOURCE DIR, NAME of --list")
    from m3dbench.cli.options import three_sizes
    from m3dbench.data.convert.converting import convert as run
    from m3dbench.data.convert.table import load_table

    table = load_table(name)
    with Bars() as bars, bars.stage(f"converting {table.title}", None) as advance:
        report = run(
            table,
            source,
            directory,
            labels=labels,
            code=code,
            grid=three_sizes(grid),
            m3d_split=m3d_split,
            train_fraction=train_fraction,
            seed=seed,
            progress=lambda *_: advance(1),
            keep_going=keep_going,
        )
    _tell(report)


def _tell(report: ConversionReport) -> None:
    from m3dbench.cli.console import PLAIN, out, warn

    split = report.split
    done = len(report.converted) + len(report.kept)
    told = f"{done} cases ({len(report.kept)} kept from before), {len(report.classes)} classes"
    out.print(f"Converted {told} into {report.directory} as {report.code}", **PLAIN)
    out.print(f"Split: {len(split.train)} train, {len(split.test)} test; {split.told}", **PLAIN)
    for case, reason in list(report.failed.items())[:20]:
        warn(f"{case} was left out: {'; '.join(reason.splitlines())}")
    if len(report.failed) > 20:
        warn(f"{len(report.failed) - 20} more cases were left out")
    if split.train and "m3d_split" not in split.facts:
        warn("the split was made by seed and is not the official one")
    if split.missing:
        warn(f"M3D's test cases are not all here ({split.missing} missing): results are of a part of its test set")
    if split.unlisted:
        warn(f"{len(split.unlisted)} cases are in neither list of the split file and are not used")
    out.print(f"Next: m3dbench run --model threshold --data {report.directory}", style="dim", **PLAIN)


def _list() -> None:
    from m3dbench.cli.console import PLAIN, out
    from m3dbench.data.convert.table import load_table, shipped

    tables = [load_table(name) for name in shipped()]
    width = max(len(table.name) for table in tables)
    for table in tables:
        classes = f"{len(table.labels)} classes" if table.labels else "classes of the data"
        out.print(f"{table.name:<{width}}  {table.code or '-':<4}  {table.title}; {classes}", **PLAIN)
        for line in (table.home, f"licence: {table.licence}" if table.licence else "", table.note):
            if line:
                out.print(f"{'':<{width}}        {line}", style="dim", **PLAIN)
