"""Which pages a board has, and what each is written from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from m3dbench.errors import UserError
from m3dbench.report.leaderboard.board import Board, Submission
from m3dbench.report.site.figures import coverage_figures, ranking_figures, run_figures
from m3dbench.report.site.names import slugs
from m3dbench.report.site.rows import VERIFIED, RankingTable, board_rows, metric_rows, ranking_table


@dataclass(frozen=True)
class Page:
    """path: below the site's folder, with slashes. figures: the numbers of its plots, None where it has none."""

    path: str
    template: str
    title: str
    content: Mapping[str, Any]
    figures: Mapping[str, Any] | None = None


def pages(board: Board) -> Iterator[Page]:
    """The index, a page per ranking, a page per submission and the page on method.

    Raises UserError when an entry names a submission that the board does not have.
    """
    tables = tuple(ranking_table(ranking) for ranking in board.rankings)
    _check(board)
    files = slugs(ranking.ranking for ranking in board.rankings)
    shared = {
        "rankings": files,
        "runs": slugs(one.submission for one in board.submissions),
        "verified": VERIFIED,
        "tables": tables,
    }
    index = {"rows": board_rows(board, tables)}
    yield Page("index.html", "index.html.j2", board.title, {**shared, **index})
    for table in tables:
        path = f"rankings/{files[table.ranking.ranking]}.html"
        published = [one for one in board.published if one.task == table.ranking.task]
        content = {**shared, "table": table, "published": published}
        title = f"{table.ranking.title} · {board.title}"
        yield Page(path, "ranking.html.j2", title, content, ranking_figures(table.ranking))
    for one in board.submissions:
        yield _run(one, board, tables, shared)
    yield Page("method.html", "method.html.j2", f"Method · {board.title}", shared, coverage_figures())


def _run(submission: Submission, board: Board, tables: tuple[RankingTable, ...], shared: Mapping[str, Any]) -> Page:
    held = [(table, row) for table in tables for row in table.rows if row.entry.submission == submission.submission]
    content = {
        **shared,
        "submission": submission,
        "held": [(table, row, metric_rows(table, row.entry)) for table, row in held],
    }
    figures = run_figures([(table.ranking, row.entry) for table, row in held])
    name = f"{submission.model} {submission.version}".strip()
    path = f"runs/{shared['runs'][submission.submission]}.html"
    return Page(path, "run.html.j2", f"{name} · {board.title}", content, figures)


def _check(board: Board) -> None:
    known = {one.submission for one in board.submissions}
    for ranking in board.rankings:
        for entry in ranking.entries:
            if entry.submission not in known:
                raise UserError(
                    f"{entry.entry!r} belongs to no submission of the board",
                    record=ranking.ranking,
                    field="submission",
                    fix="build the board again with `m3dbench leaderboard build`",
                )
