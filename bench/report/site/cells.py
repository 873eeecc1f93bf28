"""Numbers of a measure as tables show them: text, interval, sort key and a small bar, on one scale for all entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from m3dbench.report.leaderboard.board import Measure, Score


@dataclass(frozen=True)
class Bar:
    """Where value and interval lie on the scale of their column, in per cent of its width, as CSS writes them."""

    start: str
    width: str
    at: str


@dataclass(frozen=True)
class Cell:
    """text: the value, a dash where there is none. interval: "low to high". sort: the value as a number, or empty."""

    text: str
    interval: str
    sort: str
    bar: Bar | None


@dataclass(frozen=True)
class Column:
    """How the values of one measure are shown. low, high: ends of the scale. decimals: of the shown number."""

    measure: Measure
    low: float
    high: float
    decimals: int

    @property
    def percent(self) -> bool:
        return self.measure.unit == "fraction"

    @property
    def unit(self) -> str:
        return "%" if self.percent else self.measure.unit

    def number(self, value: float) -> str:
        return f"{value * (100 if self.percent else 1):.{self.decimals}f}".replace("-", "−")

    def difference(self, first: Score | None, second: Score | None) -> str:
        """``second - first`` with its sign, empty where either has no value."""
        if first is None or second is None or first.value is None or second.value is None:
            return ""
        shown = self.number(second.value - first.value)
        return shown if shown.startswith("−") else f"+{shown}"

    def cell(self, score: Score | None) -> Cell:
        if score is None or score.value is None:
            return Cell("–", "", "", None)
        interval, bar = "", Bar("0", "0", self._share(score.value))
        if score.low is not None and score.high is not None:
            interval = f"{self.number(score.low)} to {self.number(score.high)}"
            start, end = self._share(score.low), self._share(score.high)
            bar = Bar(start, f"{float(end) - float(start):.1f}", self._share(score.value))
        return Cell(self.number(score.value), interval, f"{score.value:.8g}", bar)

    def _share(self, value: float) -> str:
        share = (value - self.low) / (self.high - self.low)
        return f"{100 * min(1.0, max(0.0, share)):.1f}"


def column(measure: Measure, scores: Iterable[Score | None]) -> Column:
    """The scale of a measure: from the least to the greatest value or limit of its entries."""
    known = [limit for score in scores if score for limit in (score.value, score.low, score.high) if limit is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = (high - low) / 20 or 0.5
    if measure.unit == "fraction":
        return Column(measure, low - room, high + room, 1)
    greatest = max(abs(low), abs(high))
    decimals = next((count for count, least in ((0, 1000.0), (1, 100.0)) if greatest >= least), 2)
    return Column(measure, low - room, high + room, decimals)
