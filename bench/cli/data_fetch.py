"""``m3dbench data fetch``: M3D-Data from the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from m3dbench.data.fetch.fetching import Terms


def fetch(
    name: Annotated[str, typer.Argument(help="M3D-VQA, M3D-Seg, M3D-RefSeg or M3D-Cap.")],
    directory: Annotated[Path, typer.Argument(help="Data directory to write to.")],
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit of the repository [default: its main branch].")
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept-licence", help="You have read the terms of the data and accept them.")
    ] = False,
    include: Annotated[
        list[str] | None, typer.Option(help="Only files that fit this pattern, e.g. '*0003*'; may be repeated.")
    ] = None,
    keep_archives: Annotated[bool, typer.Option("--keep-archives", help="Keep zip files after unpacking.")] = False,
) -> None:
    """Download M3D-Data from the hub: terms first, resumable, every file checked."""
    from m3dbench.cli.console import PLAIN, Bars, out, warn
    from m3dbench.data.fetch.fetching import fetch as run
    from m3dbench.data.fetch.hub import Patience
    from m3dbench.data.fetch.sources import find_source

    source = find_source(name)
    with Bars() as bars:
        done = run(
            source,
            directory,
            revision=revision,
            accept=accept,
            include=tuple(include or ()),
            keep_archives=keep_archives,
            show=_show,
            progress=bars,
            patience=Patience(note=warn),
        )
    kept = f" ({done.kept} from before)" if done.kept else ""
    unpacked = f", {done.unpacked} files out of archives" if done.unpacked else ""
    out.print(f"{source.name}: {done.files} files{kept}, {done.size / 1e6:,.1f} MB{unpacked} in {done.folder}", **PLAIN)
    out.print(f"Revision {done.revision}; checksums fit.", **PLAIN)
    for line in source.after:
        out.print(f"Next: {line.format(directory=directory)}", style="dim", **PLAIN)


def _show(terms: Terms) -> None:
    from m3dbench.cli.console import PLAIN, out

    out.print("Terms of the data", style="bold", **PLAIN)
    out.print(f"  {terms.ours}", **PLAIN)
    out.print(f"  Licence field of the repository: {terms.field or 'none given'}", **PLAIN)
    for number, line in enumerate(terms.lines):
        out.print(f"  {terms.file + ': ' if number == 0 else ''}{line}", **PLAIN)
