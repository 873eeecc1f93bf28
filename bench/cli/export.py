"""``m3dbench export``: requests for foreign environments, and predicted masks as NIfTI."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from m3dbench.cli.options import (
    DataOption,
    PromptVariants,
    RequestsChoice,
    RequestsOption,
    Seed,
    TemplatesOption,
    wordings,
)

app = typer.Typer(help="Write requests or masks for other tools.", no_args_is_help=True)


class VolumeChoice(StrEnum):
    """How volumes go out."""

    COPY = "copy"
    PATHS = "paths"


@app.command()
def requests(
    task: Annotated[str, typer.Option(help="The task whose requests to write (see `m3dbench list tasks`).")],
    out: Annotated[Path, typer.Option(help="Folder to write; an earlier export there is replaced.")],
    data: DataOption = None,
    test_set: Annotated[str, typer.Option(help="Test set: test, test1k, ... as the data set names them.")] = "test",
    datasets: Annotated[str | None, typer.Option(help="Sub-datasets, with commas; the task's own if omitted.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N requests.")] = None,
    seed: Seed = 0,
    requests: RequestsOption = RequestsChoice.DEFAULT,
    templates: TemplatesOption = None,
    prompt_variants: PromptVariants = 1,
    volumes: Annotated[
        VolumeChoice, typer.Option(help="Copy the volumes under neutral names, or give their paths.")
    ] = VolumeChoice.COPY,
) -> None:
    """Write what a model must answer, without references, so that any environment can answer it.

    README.txt beside the requests explains the answer format; `score --data` and `--model replay` take answers back.
    """
    from m3dbench import registry
    from m3dbench.cli.console import PLAIN, Bars, warn
    from m3dbench.cli.console import out as console
    from m3dbench.data.phantom.cache import default_phantom
    from m3dbench.report.requests import export_requests
    from m3dbench.runs.engine import Settings, open_data

    parts = tuple(datasets.split(",")) if datasets else None
    words = wordings(requests, templates)
    settings = Settings(split=test_set, parts=parts, limit=limit, seed=seed, words=words, variants=prompt_variants)
    with Bars() as bars:
        source = open_data(data if data is not None else default_phantom(bars))
        with bars.stage(f"{task}: requests", limit) as advance:
            done = export_requests(registry.create("tasks", task), source, out, settings, volumes.value, advance)
    told = "copied" if volumes is VolumeChoice.COPY else "named by their paths"
    console.print(f"Wrote {out}: {done.samples:,} requests, {done.volumes:,} volumes {told}, README.txt", **PLAIN)
    if done.broken:
        first, reason = next(iter(done.broken.items()))
        warn(f"{len(done.broken)} requests carry volume_error instead of a volume (for example {first}: {reason})")


@app.command()
def masks(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `run` or `score` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for TASK/ID.nii.gz and masks.jsonl.")],
    task: Annotated[str | None, typer.Option(help="Task, or several with commas; all with masks if omitted.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Data directory; the one the run was made from if omitted.")
    ] = None,
) -> None:
    """Write a run's predicted masks as NIfTI: in native space where the data keeps the way back, else on the grid."""
    from m3dbench.cli.console import PLAIN, Bars, warn
    from m3dbench.cli.console import out as console
    from m3dbench.report.mask_export import export_masks
    from m3dbench.runs.folder import RunFolder

    names = [name.strip() for name in task.split(",")] if task else None
    with Bars() as bars, bars.stage("masks", None) as advance:
        done = export_masks(RunFolder.open(run), out, data=data, tasks=names, advance=advance)
    written = f"{done.native:,} masks in native space, {done.grid:,} on the prepared grid"
    console.print(f"Wrote {out}: {written}, {done.empty:,} samples without a mask (masks.jsonl lists all)", **PLAIN)
    if done.grid:
        warn("masks on the grid have an affine of 1 mm voxels and no orientation: their data has no geometry.json")
    for sample, reason in list(done.unreadable.items())[:3]:
        warn(f"{sample} was left out: {reason}")


@app.command()
def attention(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `run` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for TASK/ID.png and attention.jsonl.")],
    task: Annotated[str | None, typer.Option(help="Task, or several with commas; all if omitted.")] = None,
    sample: Annotated[list[str] | None, typer.Option(help="Only this sample, by its id; may be repeated.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help="Pictures of the first N of each task; rows are of all.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Data directory; the one the run was made from if omitted.")
    ] = None,
) -> None:
    """Write how much each slice counted in a run's answers, and draw it over the slices, one picture an answer.

    For models that say so (med-2e3).
    """
    from m3dbench.cli.console import PLAIN, Bars, warn
    from m3dbench.cli.console import out as console
    from m3dbench.report.slice_export import export_slices
    from m3dbench.runs.folder import RunFolder

    names = [name.strip() for name in task.split(",")] if task else None
    with Bars() as bars, bars.stage("slices", None) as advance:
        done = export_slices(
            RunFolder.open(run), out, data=data, tasks=names, samples=sample, limit=limit, advance=advance
        )
    told = f"{done.pictures:,} pictures, attention.jsonl with the weights of {done.rows:,} answers"
    console.print(f"Wrote {out}: {told}", **PLAIN)
    if done.without:
        warn(f"{done.without:,} answers have no slice weights")
    for name, reason in list(done.unreadable.items())[:3]:
        warn(f"{name} was not drawn: {reason}")
