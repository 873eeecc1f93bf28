"""What the charts for notebooks are drawn of: an empty one, points with intervals, named rows."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from m3dbench.errors import missing_extra

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as error:
    raise missing_extra("Plotting", "site") from error

# Okabe and Ito's palette: told apart under every common kind of colour blindness. Markers differ as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
INK, FAINT, BETTER, WORSE, SAME = "#222222", "#dddddd", "#0072B2", "#D55E00", "#888888"
ROW, WIDTH, HEADER = 0.34, 7.2, 1.4


class Chart(Figure):
    """A figure that shows itself in a notebook without any global state of matplotlib's."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=110)
        return stream.getvalue()


def empty(rows: float, legend: int = 0) -> tuple[Chart, Axes]:
    height = HEADER + ROW * max(2.0, rows) + (0.3 if legend > 1 else 0.0)
    figure = Chart(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis="x", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure, axes


def titled(figure: Chart, title: str, size: str) -> None:
    """A title, and beneath it how many samples and cases: beside a long title they would be cut off."""
    figure.suptitle(f"{title}\n{size}", x=0.01, ha="left", fontsize=11)


def points(
    axes: Axes, rows: Sequence[tuple[float, Mapping[str, Any]]], scale: float, colour: str, marker: str, label: str
) -> None:
    """Values as markers, intervals as lines; ``rows``: height and value."""
    shown = [(height, value) for height, value in rows if value["value"] is not None]
    for height, value in shown:
        if value["interval"]:
            span = [scale * value["interval"]["low"], scale * value["interval"]["high"]]
            axes.plot(span, [height, height], color=colour, linewidth=2, alpha=0.55, solid_capstyle="round", zorder=2)
    across, up = [scale * value["value"] for _, value in shown], [height for height, _ in shown]
    axes.plot(across, up, marker, color=colour, markersize=6, label=label or None, zorder=3, clip_on=False)


def rows_named(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)


def within(axes: Axes, scale: float) -> None:
    """Per cent from 0 to 100 where everything lies there."""
    low, high = axes.get_xlim()
    if scale == 100.0 and low > -20.0 and high < 120.0:
        axes.set_xlim(min(0.0, low) if low < -5.0 else 0.0, 100.0)
