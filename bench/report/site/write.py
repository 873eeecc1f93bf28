"""A board as a folder of static pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m3dbench.errors import UserError, missing_extra
from m3dbench.report.leaderboard.board import Board
from m3dbench.report.site.figures import embedded
from m3dbench.report.site.pages import Page, pages
from m3dbench.runs.jsonl import replace

if TYPE_CHECKING:
    from jinja2 import Environment

FIGURES = ("figure-parts.js", "figures.js", "scoring-figures.js")
ASSETS = ("site.css", "theme.js", "table.js", *FIGURES, "plots.js", "plotly-basic.min.js", "plotly-LICENSE.txt")
MARK = '<meta name="generator" content="m3dbench site">'


def write_site(board: Board, out: Path) -> list[Path]:
    """Write the board's pages into ``out`` and return every file written.

    The same board gives the same bytes. Pages of an earlier build that this board no longer has are removed, other
    files left alone. Raises UserError where jinja2 is missing or ``out`` cannot be a folder.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file", fix="name a folder for the site")
    environment = _environment()
    written = [_put(out / "assets" / name, (files(__package__) / "assets" / name).read_bytes()) for name in ASSETS]
    # Without it GitHub Pages runs the pages through Jekyll.
    written.append(_put(out / ".nojekyll", b""))
    written.extend(_put(out / page.path, _render(environment, board, page).encode()) for page in pages(board))
    for stale in sorted(set(_earlier(out)) - set(written)):
        stale.unlink()
    return written


def _environment() -> Environment:
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError as error:
        raise missing_extra("The site", "site") from error
    templates = files(__package__) / "templates"
    environment = Environment(
        loader=FunctionLoader(lambda name: (templates / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["mapping_like"] = lambda value: isinstance(value, Mapping)
    environment.filters["link"] = _link
    return environment


def _render(environment: Environment, board: Board, page: Page) -> str:
    from markupsafe import Markup

    root = "../" * page.path.count("/")
    # Not escaped again: `embedded` has made the JSON safe inside a script element.
    data = Markup(embedded(page.figures)) if page.figures is not None else None  # noqa: S704
    mark = Markup(MARK)  # noqa: S704
    context: dict[str, Any] = {"board": board, "root": root, "page": page, "data": data, "mark": mark}
    text = environment.get_template(page.template).render(scripts=FIGURES, **context, **page.content)
    return "\n".join(line for line in text.split("\n") if line.strip()) + "\n"


def _link(address: str) -> str | None:
    """An address that may become a link, None for any other scheme than https and http."""
    return address if address.startswith(("https://", "http://")) else None


def _put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, content)
    return path


def _earlier(out: Path) -> Iterator[Path]:
    """Pages that a build of ours left in ``out``."""
    for folder in ("rankings", "runs"):
        for path in (out / folder).glob("*.html"):
            with path.open(encoding="utf-8", errors="replace") as stream:
                if MARK in stream.read(2000):
                    yield path
