"""A board as CSV: one row per entry and measure."""

from __future__ import annotations

import csv
import io

from m3dbench.report.leaderboard.board import Board, Entry, Measure, Ranking, Score

COLUMNS = (
    "task", "ranking", "test_set", "rank", "best_rank", "worst_rank", "submission", "model", "version", "role",
    "metric", "scoring", "direction", "unit", "primary", "value", "low", "high", "macro", "n_planned", "n_scored",
    "n_failed", "n_unscored", "n_cases", "contamination", "verified", "unranked", "demonstration",
)  # fmt: skip


def to_csv(board: Board) -> bytes:
    """Values in the metrics' own units (fractions from 0 to 1), None as an empty cell."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for ranking in board.rankings:
        for entry in ranking.entries:
            for place, measure in enumerate(ranking.measures):
                score = entry.scores.get(measure.key)
                if score is not None:
                    writer.writerow(
                        {name: _plain(v) for name, v in _row(board, ranking, entry, measure, score, place).items()}
                    )
    return stream.getvalue().encode()


def _row(board: Board, ranking: Ranking, entry: Entry, measure: Measure, score: Score, place: int) -> dict[str, object]:
    macro = entry.macro.get(measure.key)
    told = {name: getattr(entry, name) for name in COLUMNS if name in Entry.model_fields}
    told |= {name: getattr(score, name) for name in COLUMNS if name in Score.model_fields}
    told |= {name: getattr(measure, name) for name in COLUMNS if name in Measure.model_fields}
    return {
        **told,
        "ranking": ranking.ranking,
        "test_set": ranking.test_set,
        "primary": not place,
        "macro": macro[1].value if macro else None,
        "contamination": "; ".join(entry.contamination),
        "demonstration": board.demonstration,
    }


def _plain(value: object) -> object:
    """A cell; text that a spreadsheet would take for a formula is kept text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value
