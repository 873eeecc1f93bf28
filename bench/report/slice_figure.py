"""A picture of how much each slice of a volume counted in an answer: the slices in a strip, their weights over them."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.prediction import SliceWeights
from m3dbench.data.slices import Window
from m3dbench.errors import DataError, missing_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 16
_MARKED = "#d62728"
_LINES = 3


def slices_png(
    volume: npt.NDArray[Any], slices: SliceWeights, path: Path, *, question: str = "", answer: str = "", title: str = ""
) -> Path:
    """Draw every weighed part's middle slice of a volume (D, H, W) with its weight above, and write a PNG.

    H runs downwards and W to the right, as stored. The line is the weight that all would have if none counted more; the
    three heaviest are red. Raises UserError without matplotlib, and DataError where the weights do not fit the volume.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("Drawing slices", "site") from error
    depths = depths_of(slices, volume.shape[0])
    weights = np.asarray(slices.weights)
    low, high = Window().bounds(volume)
    rows = -(-len(depths) // COLUMNS)
    columns = min(COLUMNS, len(depths))
    ratio = volume.shape[1] / volume.shape[2]
    heights = [1.1, ratio] * rows
    figure = Figure(figsize=(columns + 1.2, 1.3 + sum(heights) + 0.4 * rows), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 * rows, 1, gridspec_kw={"height_ratios": heights})
    heaviest = set(np.argsort(-weights, kind="stable")[:3].tolist())
    for row in range(rows):
        shown = range(row * columns, min((row + 1) * columns, len(depths)))
        strip = np.concatenate([volume[depths[place]] for place in shown], axis=1)
        strip = np.clip((strip - low) / (high - low), 0, 1)
        _bars(axes[2 * row], weights, shown, heaviest, columns)
        _strip(axes[2 * row + 1], strip, shown, depths, heaviest, columns)
    axes[0].set_title("dashed: every slice alike; red: the three heaviest", loc="right", fontsize=8, color="#555555")
    told = [title, _short(f"Q: {question}") if question else "", _short(f"A: {answer}") if answer else ""]
    figure.suptitle("\n".join(filter(None, told)), x=0.01, ha="left", fontsize=10, parse_math=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    return path


def depths_of(slices: SliceWeights, depth: int) -> list[int]:
    """The voxel along D in the middle of each weighed part. Raises DataError where they lie outside 0..depth."""
    first, stop = slices.first, slices.stop
    if not slices.weights or not 0 <= first < stop <= depth:
        raise DataError(f"{len(slices.weights)} weights of voxels {first} to {stop} along D; the volume has {depth}")
    parts = len(slices.weights)
    return [first + int((place + 0.5) * (stop - first) / parts) for place in range(parts)]


def _bars(axis: Axes, weights: npt.NDArray[Any], shown: range, heaviest: set[int], columns: int) -> None:
    colours = [_MARKED if place in heaviest else "#4c78a8" for place in shown]
    axis.bar(list(shown), weights[list(shown)], width=0.8, color=colours)
    axis.axhline(1 / len(weights), color="#555555", linewidth=0.8, linestyle="--")
    axis.set_ylim(0, max(float(weights.max()) * 1.15, 1.5 / len(weights)))
    axis.set_xlim(shown.start - 0.5, shown.start + columns - 0.5)
    axis.set_xticks([])
    axis.set_ylabel("weight", fontsize=8)
    axis.tick_params(axis="y", labelsize=7)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _strip(
    axis: Axes, strip: npt.NDArray[Any], shown: range, depths: list[int], heaviest: set[int], columns: int
) -> None:
    from matplotlib.patches import Rectangle

    left, right = shown.start - 0.5, shown.start + len(shown) - 0.5
    axis.imshow(strip, cmap="gray", vmin=0, vmax=1, extent=(left, right, 0, 1), aspect="auto", interpolation="nearest")
    for place in shown:
        colour, width = (_MARKED, 2.0) if place in heaviest else ("white", 0.6)
        frame = Rectangle((place - 0.49, 0.01), 0.98, 0.98, fill=False, edgecolor=colour, linewidth=width)
        axis.add_patch(frame)
    axis.set_xlim(left, shown.start + columns - 0.5)
    axis.set_ylim(0, 1)
    axis.set_yticks([])
    axis.set_xticks(list(shown), [str(depths[place]) for place in shown], fontsize=7)
    axis.set_xlabel("voxel along D", fontsize=8)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _short(text: str) -> str:
    lines = textwrap.wrap(text, 190, max_lines=_LINES, placeholder=" ...")
    return "\n".join(lines)
