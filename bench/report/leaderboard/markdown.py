"""A board as one Markdown page."""

from __future__ import annotations

from collections.abc import Sequence

from m3dbench.report.comparison.files import cell
from m3dbench.report.leaderboard import cells
from m3dbench.report.leaderboard.board import Board, Entry, Measure, Published, Ranking

HOW = (
    "Entries share a rank where the case-level paired test does not tell them from the best of their group; in "
    "brackets the ranks that are compatible with the data. Only entries of one comparability class (same samples, "
    "requests, rules and judges) are ranked together. Fractions are in per cent, with 95% intervals over cases."
)
COLUMNS = 5
"""Measures a table shows; CSV, JSON and the pages hold all."""


def to_markdown(board: Board) -> str:
    lines = [f"# {cell(board.title)}", ""]
    if board.demonstration:
        lines += [f"> **{cells.BANNER}**", ""]
    tasks = list(dict.fromkeys(ranking.task for ranking in board.rankings))
    if not board.rankings:
        lines += ["No submissions yet.", ""]
    for task in tasks:
        found = [ranking for ranking in board.rankings if ranking.task == task]
        lines += [f"## {cell(found[0].title)}", ""]
        for ranking in found:
            lines += _ranking(ranking, alone=len(found) == 1)
        lines += _published([row for row in board.published if row.task == task])
    lines += [HOW, "", f"Made with {cell(board.made_with)}."]
    return "\n".join(lines) + "\n"


def _ranking(ranking: Ranking, *, alone: bool) -> list[str]:
    size = f"{ranking.samples:,} samples, {ranking.cases:,} cases"
    lines = [] if alone else [f"### Class {ranking.ranking}", ""]
    lines += [f"Test set {cell(ranking.test_set)}: {size}; class `{ranking.ranking}`.", ""]
    shown = shown_measures(ranking)
    titles = ["rank", "model", *(cell(cells.heading(item)) for item in shown), "trained on", "verified"]
    lines += [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    lines += [f"| {' | '.join(_row(entry, shown))} |" for entry in ranking.entries]
    left_out = len(ranking.measures) - len(shown)
    lines += ["", *([f"{left_out} further measures are in leaderboard.csv and board.json.", ""] if left_out else [])]
    for entry in ranking.entries:
        told = _ended([f"no rank: {entry.unranked}"] if entry.unranked else [])
        if told or entry.notes:
            said = cell(" ".join([*told, *entry.notes]))
            lines.append(f"- **{cell(cells.model(entry))}** (`{entry.submission}`): {said}")
    return [*lines, ""]


def shown_measures(ranking: Ranking) -> list[Measure]:
    """The first measures, corrected ones before upstream ones."""
    ordered = sorted(ranking.measures, key=lambda item: item.scoring != "corrected")
    return ordered[:COLUMNS]


def _row(entry: Entry, shown: Sequence[Measure]) -> list[str]:
    texts = [cells.rank(entry), cells.model(entry), *(cells.value(entry.scores.get(item.key), item) for item in shown)]
    return [cell(text) for text in (*texts, ", ".join(entry.contamination) or cells.NONE, entry.verified)]


def _ended(told: Sequence[str]) -> list[str]:
    return [f"{text[:1].upper()}{text[1:]}." for text in told]


def _published(rows: Sequence[Published]) -> list[str]:
    if not rows:
        return []
    reasons = list(dict.fromkeys(row.why_not for row in rows))
    lines = [f"<details><summary>{len(rows)} published numbers, never ranked here</summary>", ""]
    lines += [f"{number}. {cell(why)}" for number, why in enumerate(reasons, 1)]
    lines += ["", "| model | metric | of | value | source | why not ranked |", "|---|---|---|---|---|---|"]
    for row in rows:
        of = ", ".join(f"{dimension} {name}" for dimension, name in row.stratum.items()) or "all"
        texts = (row.model, row.metric, of, f"{row.value:.2f}", row.source, str(reasons.index(row.why_not) + 1))
        lines.append(f"| {' | '.join(cell(text) for text in texts)} |")
    return [*lines, "", "</details>", ""]
