"""``m3dbench data``: making and converting data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from m3dbench.cli import data_audit, data_check
from m3dbench.cli.data_prepare import app as prepare

app = typer.Typer(help="Make, convert, check and audit data sets.", no_args_is_help=True)
convert = typer.Typer(help="Convert public releases to the M3D layouts.", no_args_is_help=True)
app.add_typer(convert, name="convert")
app.add_typer(prepare, name="prepare")
app.command("check")(data_check.check)
app.command("audit")(data_audit.audit)


@app.command()
def phantom(
    directory: Annotated[Path | None, typer.Argument(help="Where to make it; the user's cache if omitted.")] = None,
    full_size: Annotated[
        bool, typer.Option("--full-size", help="32x256x256 volumes as M3D-Data has, instead of the small grid.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Also write the raw forms that `data prepare` starts from.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the cases.")] = 0,
    train: Annotated[int, typer.Option(min=1, help="Training cases.")] = 60,
    test: Annotated[int, typer.Option(min=1, help="Test cases.")] = 30,
) -> None:
    """Make the embedded phantom data set: M3D-Data in miniature, drawn from a seed."""
    from m3dbench.cli.console import Bars, out
    from m3dbench.data.phantom.cache import PhantomOptions, made_phantom

    with Bars() as bars:
        options = PhantomOptions(seed=seed, train=train, test=test, full_size=full_size, raw=raw)
        place = made_phantom(directory, options, bars)
    out.print(f"Made {place}", highlight=False)
    out.print(f"Next: m3dbench run --model threshold --data {place}", style="dim", highlight=False)


@convert.command()
def totalsegmentator(
    source: Annotated[
        Path, typer.Argument(help="Folder of case folders: ct.nii.gz with segmentations/*.nii.gz or one label file.")
    ],
    directory: Annotated[Path, typer.Argument(help="Data directory to write.")],
    labels: Annotated[
        Path | None, typer.Option(help="Label table (JSON: number -> name) of multi-label files.")
    ] = None,
    code: Annotated[str, typer.Option(help="Name of the sub-dataset.")] = "totalsegmentator",
    grid: Annotated[str, typer.Option(help="Grid D,H,W of the prepared volumes.")] = "32,256,256",
    train_fraction: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of cases for a train split, by seed.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Leave bad cases out instead of failing.")] = False,
) -> None:
    """Convert the public TotalSegmentator layout to the M3D-Seg layout, keeping the way back to native space."""
    from m3dbench.cli.console import Bars, out, warn
    from m3dbench.data.convert.totalsegmentator import convert_totalsegmentator
    from m3dbench.errors import UserError

    sizes = grid.split(",")
    if len(sizes) != 3 or not all(size.strip().isdigit() and int(size) > 0 for size in sizes):
        raise UserError(f"--grid takes three sizes D,H,W, not {grid!r}", field="--grid", fix="for example 32,256,256")
    depth, height, width = (int(size) for size in sizes)
    with Bars() as bars, bars.stage("converting", None) as advance:
        report = convert_totalsegmentator(
            source,
            directory,
            labels=labels,
            code=code,
            grid=(depth, height, width),
            train_fraction=train_fraction,
            seed=seed,
            progress=lambda *_: advance(1),
            keep_going=keep_going,
        )
    done = len(report.converted) + len(report.kept)
    told = f"{done} cases ({len(report.kept)} kept from before), {len(report.classes)} classes, split: {report.split}"
    out.print(f"Converted {told} into {directory}", highlight=False, soft_wrap=True)
    for case, reason in report.failed.items():
        warn(f"{case} was left out: {'; '.join(reason.splitlines())}")
    if report.split != "all-test":
        warn("the split was made by seed and is not the official one")
    out.print(f"Next: m3dbench run --model threshold --data {directory}", style="dim", highlight=False, soft_wrap=True)
