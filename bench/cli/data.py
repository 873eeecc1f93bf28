"""``m3dbench data``: making and getting data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from m3dbench.cli import data_audit, data_check, data_convert, data_fetch, data_import, data_prepare

app = typer.Typer(help="Make, fetch, prepare, convert, import, check and audit data sets.", no_args_is_help=True)
app.command("fetch")(data_fetch.fetch)
app.add_typer(data_prepare.app, name="prepare")
app.command("convert")(data_convert.convert)
app.command("import")(data_import.import_data)
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
