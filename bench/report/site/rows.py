"""The rows of the tables: one entry of a ranking, one submission across rankings, one metric of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from m3dbench.report.leaderboard.board import Board, Entry, Ranking, Score, Submission
from m3dbench.report.site.cells import Cell, Column, column

VERIFIED = {"from predictions": "from predictions", "from scores": "from scores", "not": "no"}


@dataclass(frozen=True)
class EntryRow:
    """place: "3", "3=" where shared, empty where unranked. places: "2 to 5", the places compatible with the data,
    empty where that is the place alone."""

    entry: Entry
    place: str
    places: str
    primary: Cell
    macro: Cell
    others: tuple[Cell, ...]
    counts: Score

    @property
    def recomputed(self) -> bool:
        return self.entry.verified != "not"


@dataclass(frozen=True)
class RankingTable:
    """A ranking with its scales. dimension: of the primary measure's macro averages, empty without any."""

    ranking: Ranking
    columns: tuple[Column, ...]
    dimension: str
    rows: tuple[EntryRow, ...]

    @property
    def primary(self) -> Column:
        return self.columns[0]

    @property
    def ranked(self) -> int:
        return sum(row.entry.rank is not None for row in self.rows)


@dataclass(frozen=True)
class BoardRow:
    """A submission across rankings: one entry or None for each."""

    submission: Submission
    entries: tuple[EntryRow | None, ...]


@dataclass(frozen=True)
class MetricRow:
    """A metric of a run under both scorings; None where that scoring lacks it."""

    metric: str
    column: Column
    signature: str
    cells: Mapping[str, Cell]
    macro: Cell
    difference: str
    counts: Score


def ranking_table(ranking: Ranking) -> RankingTable:
    """The table of a ranking, rows in its order."""
    columns = tuple(column(one, (entry.scores.get(one.key) for entry in ranking.entries)) for one in ranking.measures)
    primary = columns[0]
    key = primary.measure.key
    dimension = next((entry.macro[key][0] for entry in ranking.entries if key in entry.macro), "")
    rows = tuple(
        EntryRow(
            entry=entry,
            place=_place(entry, ranking.entries),
            places=_places(entry),
            primary=primary.cell(entry.scores.get(key)),
            macro=primary.cell(entry.macro[key][1] if key in entry.macro else None),
            others=tuple(one.cell(entry.scores.get(one.measure.key)) for one in columns[1:]),
            counts=entry.scores.get(key, Score(value=None)),
        )
        for entry in ranking.entries
    )
    return RankingTable(ranking, columns, dimension, rows)


def board_rows(board: Board, tables: Sequence[RankingTable]) -> tuple[BoardRow, ...]:
    """One row a submission, in the order of the first ranking, then of the next; those without any entry last."""
    held = [{row.entry.submission: row for row in table.rows} for table in tables]
    order: dict[str, None] = {}
    for rows in held:
        order.update(dict.fromkeys(rows))
    order.update(dict.fromkeys(one.submission for one in board.submissions))
    known = {one.submission: one for one in board.submissions}
    return tuple(BoardRow(known[one], tuple(rows.get(one) for rows in held)) for one in order if one in known)


def metric_rows(table: RankingTable, entry: Entry) -> tuple[MetricRow, ...]:
    """The metrics of a run's entry: corrected and upstream values of a metric side by side."""
    rows = []
    for name in dict.fromkeys(one.measure.metric for one in table.columns):
        columns = {one.measure.scoring: one for one in table.columns if one.measure.metric == name}
        first = columns.get("corrected") or next(iter(columns.values()))
        scores = {scoring: entry.scores.get(one.measure.key) for scoring, one in columns.items()}
        macro = entry.macro.get(first.measure.key)
        rows.append(
            MetricRow(
                metric=name,
                column=first,
                signature="; ".join(dict.fromkeys(one.measure.signature for one in columns.values())),
                cells={scoring: one.cell(scores[scoring]) for scoring, one in columns.items()},
                macro=first.cell(macro[1] if macro else None),
                difference=first.difference(scores.get("corrected"), scores.get("upstream")),
                counts=scores[first.measure.scoring] or Score(value=None),
            )
        )
    return tuple(rows)


def _place(entry: Entry, entries: Sequence[Entry]) -> str:
    if entry.rank is None:
        return ""
    return f"{entry.rank}=" if sum(other.rank == entry.rank for other in entries) > 1 else str(entry.rank)


def _places(entry: Entry) -> str:
    if entry.best_rank is None or entry.worst_rank is None:
        return ""
    if entry.best_rank == entry.worst_rank:
        return "" if entry.best_rank == entry.rank else str(entry.best_rank)
    return f"{entry.best_rank} to {entry.worst_rank}"
