"""``m3dbench data prepare``: the raw releases of M3D-Data brought to the layout that models are shown."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from m3dbench.data.prepare.recipe import Preparation, Recipe

app = typer.Typer(help="Prepare the raw M3D releases for evaluation.", no_args_is_help=True)


class RecipeChoice(StrEnum):
    """How volumes are prepared."""

    UPSTREAM = "upstream"
    CORRECTED = "corrected"


Source = Annotated[Path, typer.Argument(help="The raw release: its folder, or the folder above it.")]
Target = Annotated[Path, typer.Argument(help="Data directory to write; the kinds may share one.")]
RecipeOption = Annotated[
    RecipeChoice,
    typer.Option(
        help="upstream: the reference's steps bit for bit, as published numbers need. "
        "corrected: RAS axes and the way back where the input tells them, thin structures kept, 16-bit depth kept."
    ),
]
GridOption = Annotated[str, typer.Option(help="Grid D,H,W of the prepared volumes; the models take the default.")]
WorkersOption = Annotated[
    int,
    typer.Option(
        min=0, help="Processes; each needs 0.6 GB and its largest volume a few times. 0: one a core, at most 8."
    ),
]
SeriesOption = Annotated[
    str | None, typer.Option(help="Of DICOM folders with several series: the one of this number, UID or description.")
]
KeepGoing = Annotated[bool, typer.Option("--keep-going", help="Leave bad cases out instead of failing at the end.")]


@app.command()
def cap(
    source: Source,
    directory: Target,
    recipe: RecipeOption = RecipeChoice.UPSTREAM,
    split_file: Annotated[
        Path | None, typer.Option(help="M3D_Cap.json; looked for in and beside the source if omitted.")
    ] = None,
    series: SeriesOption = None,
    grid: GridOption = "32,256,256",
    workers: WorkersOption = 0,
    keep_going: KeepGoing = False,
) -> None:
    """M3D-Cap: folders of JPEG or PNG slices (corrected: DICOM and NIfTI series too) and texts."""
    from m3dbench.data.prepare.cap import PrepareCap

    chosen = _recipe(recipe, grid, series)
    told = "m3dbench data prepare vqa PATH {0}, or m3dbench run --task report_generation --model blind --data {0}"
    _run(PrepareCap(source, chosen, split_file), source, directory, workers, keep_going, told)


@app.command()
def vqa(
    source: Source,
    directory: Target,
    recipe: RecipeOption = RecipeChoice.UPSTREAM,
) -> None:
    """M3D-VQA: its tables beside the prepared M3D-Cap, whose volumes its questions are about."""
    from m3dbench.cli.console import PLAIN, Bars, out, warn
    from m3dbench.data.prepare.prepare import prepare_questions

    with _writing(directory), Bars() as bars:
        linked, manifest = prepare_questions(source, directory, _recipe(recipe, "32,256,256"), bars)
    for table in linked:
        there = len(table.images) - len(table.missing)
        out.print(
            f"{table.table}: {table.questions:,} questions on {len(table.images):,} volumes, {there:,} of them prepared"
            + (f", {table.renamed:,} paths brought to the prepared spelling" if table.renamed else ""),
            **PLAIN,
        )
    missing = sorted({image for table in linked for image in table.missing})
    if missing:
        warn(
            f"{len(missing):,} volumes are not in {directory}, first {missing[0]}: stored answers can be scored "
            "without them, models need `m3dbench data prepare cap` first"
        )
    out.print(f"Wrote {directory}: M3D-VQA/, {manifest.name}", **PLAIN)
    out.print(f"Next: m3dbench run --task vqa_closed --model blind --data {directory}", style="dim", **PLAIN)


@app.command()
def seg(
    source: Source,
    directory: Target,
    recipe: RecipeOption = RecipeChoice.UPSTREAM,
    datasets: Annotated[str | None, typer.Option(help="Only these codes, such as 0003,0011.")] = None,
    grid: GridOption = "32,256,256",
    workers: WorkersOption = 0,
    keep_going: KeepGoing = False,
) -> None:
    """M3D-Seg: image.npy and mask_(C, X, Y, Z).npz a case, to a mask file a class."""
    from m3dbench.data.prepare.seg import PrepareSeg

    codes = tuple(code.strip() for code in datasets.split(",")) if datasets else None
    told = "m3dbench run --task seg_semantic --model threshold --data {0}"
    _run(PrepareSeg(source, _recipe(recipe, grid), codes), source, directory, workers, keep_going, told)


@app.command()
def refseg(
    source: Source,
    directory: Target,
    recipe: RecipeOption = RecipeChoice.UPSTREAM,
    series: SeriesOption = None,
    grid: GridOption = "32,256,256",
    workers: WorkersOption = 0,
    keep_going: KeepGoing = False,
) -> None:
    """M3D-RefSeg: ct.nii.gz (corrected: DICOM folders too), mask.nii.gz and text.json a case, and the tables."""
    from m3dbench.data.prepare.refseg import PrepareRefSeg

    told = "m3dbench run --task seg_referring --model threshold --data {0}"
    _run(PrepareRefSeg(source, _recipe(recipe, grid, series)), source, directory, workers, keep_going, told)


def _recipe(recipe: RecipeChoice, grid: str, series: str | None = None) -> Recipe:
    from m3dbench.data.prepare.recipe import Recipe
    from m3dbench.errors import UserError

    sizes = grid.split(",")
    if len(sizes) != 3 or not all(size.strip().isdigit() and int(size) > 0 for size in sizes):
        raise UserError(f"--grid takes three sizes D,H,W, not {grid!r}", field="--grid", fix="for example 32,256,256")
    depth, height, width = (int(size) for size in sizes)
    return Recipe(recipe.value, (depth, height, width), series)


def _writing(directory: Path) -> AbstractContextManager[None]:
    from m3dbench.runs import lock

    directory.mkdir(parents=True, exist_ok=True)
    return lock.hold(directory)


def _run(preparation: Preparation, source: Path, directory: Path, workers: int, keep_going: bool, told: str) -> None:
    from m3dbench.cli.console import PLAIN, Bars, out, warn
    from m3dbench.data.prepare.prepare import prepare
    from m3dbench.data.prepare.reference import require

    if preparation.recipe.upstream:
        require()
    count = workers or min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    with _writing(directory), Bars() as bars:
        report = prepare(preparation, source, directory, workers=count, keep_going=keep_going, progress=bars)
    size = _size(report.written_bytes)
    cases = f"{report.written + report.kept:,} of {report.total:,} cases ({report.kept:,} kept from before)"
    out.print(
        f"Prepared {cases} into {directory}: {report.files:,} files, {size}, recipe {preparation.recipe.identity}",
        **PLAIN,
    )
    for note in report.notes:
        warn(note)
    if report.case_notes:
        warn(f"{report.case_notes:,} cases have notes on what was left out; see {report.manifest.name}")
    for case, error in list(report.failed.items())[:10]:
        warn(f"{case} was left out: {'; '.join(str(error).splitlines())}")
    if len(report.failed) > 10:
        warn(f"{len(report.failed) - 10:,} more cases were left out")
    out.print(f"Wrote {report.manifest}: input and output of every case with sizes and SHA-256", **PLAIN)
    out.print(f"Next: {told.format(directory)}", style="dim", **PLAIN)


def _size(count: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1000
    raise AssertionError
