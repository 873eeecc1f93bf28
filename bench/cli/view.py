"""``m3dbench view``: look at what a model did, sample by sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from m3dbench.report.viewer.documents import Viewer


def view(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `run` or `score` wrote.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="OTHER", help="A second run, shown side by side with the first.")
    ] = None,
    static: Annotated[
        Path | None, typer.Option("--static", metavar="DIR", help="Write pages into this folder instead of serving.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Data directory; the one the run was made from if omitted.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N samples of each task.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve at; 0 takes a free one.")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser (never done without a terminal).")
    ] = True,
) -> None:
    """Look at samples: volume with masks and boxes, prompt, answer, reference, scores, the judge's reasons.

    Serves on this machine alone until Ctrl-C, or writes pages with --static. Exit status: 0 done, 2 wrong call.
    """
    from m3dbench.report.viewer.documents import Viewer

    paths = [run] if other is None else [run, other]
    title = " and ".join(path.resolve().name for path in paths)
    viewer = Viewer(paths, data=data, limit=limit)
    if static is not None:
        write(viewer, static, title)
    else:
        serve(viewer, title, port, browser)


def write(viewer: Viewer, out: Path, title: str) -> None:
    """Write the pages, with a bar."""
    from m3dbench.cli.console import PLAIN, Bars, warn
    from m3dbench.cli.console import out as console
    from m3dbench.report.viewer.static import write_pages

    with Bars() as bars, bars.stage("pages", None) as advance:
        done = write_pages(viewer, out, title, advance)
    console.print(f"Wrote {done.page}: {done.files:,} files, {done.size / 2**20:,.1f} MiB", **PLAIN)
    if done.unreadable:
        warn(f"{done.unreadable:,} volumes could not be read; their samples show texts and scores")


def serve(viewer: Viewer, title: str, port: int, browser: bool) -> None:
    """Serve until Ctrl-C; the address goes to standard output."""
    import sys
    import webbrowser

    from m3dbench.cli.console import PLAIN, err
    from m3dbench.cli.console import out as console
    from m3dbench.report.viewer.page import page
    from m3dbench.report.viewer.server import ViewServer

    page(title, "served")
    with ViewServer(viewer, title, port) as server:
        try:
            console.print(server.url, **PLAIN)
            console.file.flush()
            err.print(f"Serving {title} to this machine alone; Ctrl-C stops.", style="dim", **PLAIN)
            if browser and sys.stdout.isatty():
                webbrowser.open(server.url)
            server.serve_forever()
        except KeyboardInterrupt:
            err.print("\nStopped.", style="dim", **PLAIN)
