"""A leaderboard in the terminal, and what a check of it found."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape

from m3dbench.cli.console import PLAIN, out
from m3dbench.cli.table import laid_out
from m3dbench.report.leaderboard import cells
from m3dbench.report.leaderboard.board import Board
from m3dbench.report.leaderboard.findings import Finding
from m3dbench.report.leaderboard.markdown import shown_measures

FINDINGS_SHOWN = 40


def show(board: Board) -> None:
    """The rankings by their first measures."""
    if board.demonstration:
        out.print(cells.BANNER, style="bold yellow", **PLAIN)
    for ranking in board.rankings:
        size = f"{ranking.test_set}, {ranking.samples:,} samples, {ranking.cases:,} cases"
        out.print(
            f"[bold]{escape(ranking.title)}[/]  {escape(size)}  ·  class {ranking.ranking}",
            highlight=False,
            soft_wrap=True,
        )
        shown = shown_measures(ranking)[:1]
        columns = {"model": [escape(cells.model(entry)) for entry in ranking.entries]}
        columns["rank"] = [cells.rank(entry) for entry in ranking.entries]
        for item in shown:
            columns[escape(cells.heading(item))] = [
                cells.value(entry.scores.get(item.key), item) for entry in ranking.entries
            ]
        columns["verified"] = [entry.verified for entry in ranking.entries]
        out.print(laid_out(columns))
        for entry in ranking.entries:
            told = [f"no rank: {entry.unranked}"] if entry.unranked else []
            told += [f"trained on {', '.join(entry.contamination)}"] if entry.contamination else []
            for text in told:
                out.print(f"  {cells.model(entry)}: {text}", style="dim", **PLAIN)


def show_findings(findings: Sequence[Finding]) -> None:
    """What does not hold, by file and task."""
    for place in dict.fromkeys((finding.file, finding.task) for finding in findings):
        out.print(f"[bold red]{escape(place[0])}[/]  {escape(place[1])}", highlight=False, soft_wrap=True)
        found = [finding for finding in findings if (finding.file, finding.task) == place]
        for finding in found[:FINDINGS_SHOWN]:
            out.print(f"  {finding}", **PLAIN)
        if len(found) > FINDINGS_SHOWN:
            out.print(f"  ... and {len(found) - FINDINGS_SHOWN:,} more", **PLAIN)
