"""Values of a board as text, the same in every form."""

from __future__ import annotations

from m3dbench.report.leaderboard.board import Entry, Measure, Score

NONE = "–"
BANNER = "Demonstration: made from drawn or partial data. These numbers say nothing about any model's worth."


def number(value: float | None, measure: Measure) -> str:
    """A value; fractions in per cent."""
    if value is None:
        return NONE
    return f"{100 * value:.1f}" if measure.unit == "fraction" else f"{value:.2f}"


def span(score: Score, measure: Measure) -> str:
    """The interval of a value, empty where it has none."""
    if score.low is None or score.high is None:
        return ""
    return f"{number(score.low, measure)} to {number(score.high, measure)}"


def value(score: Score | None, measure: Measure) -> str:
    """A value with its interval in brackets."""
    if score is None:
        return NONE
    found = span(score, measure)
    return f"{number(score.value, measure)} ({found})" if found else number(score.value, measure)


def heading(measure: Measure) -> str:
    """A measure as a column's title."""
    arrow = " ↓" if measure.direction == "lower" else ""
    unit = "" if measure.unit == "fraction" else f" [{measure.unit}]"
    return f"{measure.key}{unit}{arrow}"


def rank(entry: Entry) -> str:
    """The place, and the places compatible with the data where these are several."""
    if entry.rank is None:
        return NONE
    best, worst = entry.best_rank or entry.rank, entry.worst_rank or entry.rank
    return str(entry.rank) if best == worst else f"{entry.rank} ({best}–{worst})"


def model(entry: Entry) -> str:
    """The model with its version, and its role where it is no model under test."""
    name = f"{entry.model} {entry.version}".strip()
    return name if entry.role == "model" else f"{name} [{entry.role}]"
