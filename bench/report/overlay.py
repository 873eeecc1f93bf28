"""A picture of a volume with masks and boxes drawn on it: three planes through the centre of what is asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from m3dbench.errors import UserError, missing_extra
from m3dbench.metrics.pairs import Box

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLANES = {"axial": 0, "coronal": 1, "sagittal": 2}
_AXIS_OF = {"S": 0, "I": 0, "A": 1, "P": 1, "R": 2, "L": 2}
SHOWN = "IPL"
"""Where D, H and W grow in a picture: down, down and to the right of a radiological view."""
_OPPOSITE = dict(zip("SIAPRL", "ISPALR", strict=True))
_COLOURS = ("#2ca02c", "#ff2d55", "#1f9bff", "#ffb000", "#c86bff", "#00c2b2", "#ff7f0e", "#bcbd22")

Mask = npt.NDArray[np.bool_]


def overlay_png(
    volume: npt.NDArray[Any],
    masks: Mapping[str, Mask],
    boxes: Mapping[str, Box],
    path: Path,
    *,
    planes: Sequence[str] = ("axial", "coronal", "sagittal"),
    spacing: tuple[float, float, float] | None = None,
    axes: str | None = None,
    title: str = "",
) -> Path:
    """Draw mask outlines (solid) and boxes (dashed) on a volume (D, H, W), any intensity scale, and write a PNG.

    masks: name to mask (D, H, W); boxes: name to half-open fractions (d0, h0, w0, d1, h1, w1); a box named like a mask
    shares its colour. planes: names among axial (one D), coronal (one H), sagittal (one W). spacing: mm per voxel
    (D, H, W); unknown means that the volume is shown as a cube. axes: where D, H and W grow, for example ``"SAR"``
    (superior, anterior, patient's right: what ``data convert`` writes). With it the view is radiological, with the
    patient's right on the left of the picture, anterior and superior up, and the edges lettered; None shows the arrays
    as stored, unlettered.

    Raises UserError for an unknown plane, axes that are no such triple, a volume that is not (D, H, W), a mask of
    another shape, and when matplotlib is missing.
    """
    _check(volume, masks, planes, axes)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("Drawing overlays", "site") from error
    flips = flips_of(axes)
    flipped = tuple(slice(None, None, -1 if flip else 1) for flip in flips)
    shown_masks = {name: mask[flipped] for name, mask in masks.items()}
    shown_boxes = {name: _corners(box, volume.shape, flips) for name, box in boxes.items()}
    centre = _centre(volume.shape, list(shown_masks.values()), list(shown_boxes.values()))
    names = list(dict.fromkeys([*masks, *boxes]))
    colours = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}
    size = spacing or tuple(1.0 / length for length in volume.shape)
    low, high = (float(value) for value in np.percentile(volume[::2, ::2, ::2], (0.5, 99.5)))
    figure = Figure(figsize=(4.6 * len(planes), 5.2), layout="constrained", facecolor="black")
    FigureCanvasAgg(figure)
    for ax, plane in zip(np.atleast_1d(figure.subplots(1, len(planes))), planes, strict=True):
        axis = PLANES[plane]
        rows, columns = (other for other in range(3) if other != axis)
        cut = tuple(centre[axis] if other == axis else slice(None) for other in range(3))
        ax.imshow(
            volume[flipped][cut], cmap="gray", vmin=low, vmax=max(high, low + 1e-6), aspect=size[rows] / size[columns]
        )
        for name, mask in shown_masks.items():
            if mask[cut].any():
                # A rim of zeros closes outlines that touch the border of the volume.
                outline = np.pad(mask[cut], 1).astype(np.float32)
                place = np.arange(-1, outline.shape[1] - 1), np.arange(-1, outline.shape[0] - 1)
                ax.contour(*place, outline, levels=[0.5], colors=[colours[name]], linewidths=1.1)
        for name, corners in shown_boxes.items():
            _draw_box(ax, corners, axis, centre[axis], colours[name])
        ax.set_title(f"{plane} {'DHW'[axis]}={_stored(centre, volume.shape, flips)[axis]}", color="white", fontsize=9)
        ax.set_axis_off()
        if axes is not None:
            _letters(ax, SHOWN[rows], SHOWN[columns])
    _legend(figure, colours, masks)
    if title:
        figure.suptitle(title, color="white", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, facecolor="black", metadata={"Software": None})
    return path


def _check(volume: npt.NDArray[Any], masks: Mapping[str, Mask], planes: Sequence[str], axes: str | None) -> None:
    if volume.ndim != 3:
        raise UserError(f"the volume has shape {volume.shape}, expected (D, H, W)", field="volume")
    for name, mask in masks.items():
        if mask.shape != volume.shape:
            raise UserError(f"has shape {mask.shape}, the volume {volume.shape}", field=name, fix="use the same grid")
    unknown = [plane for plane in planes if plane not in PLANES]
    if unknown or not planes:
        raise UserError(f"unknown planes {unknown}", field="planes", fix=f"choose among {', '.join(PLANES)}")
    if axes is not None and [_AXIS_OF.get(letter) for letter in axes] != [0, 1, 2]:
        raise UserError(f"{axes!r} does not say where D, H and W grow", field="axes", fix="S or I, A or P, R or L")


def flips_of(axes: str | None) -> tuple[bool, bool, bool]:
    """Which of D, H and W are reversed to show arrays whose axes grow as ``axes`` says (see ``overlay_png``)."""
    depth, height, width = (
        axes is not None and letter != shown for letter, shown in zip(axes or SHOWN, SHOWN, strict=True)
    )
    return depth, height, width


def _corners(box: Box, shape: tuple[int, ...], flips: Sequence[bool]) -> npt.NDArray[np.float64]:
    """(2, 3) low and high corner in shown voxels, half-open."""
    corners = np.asarray(box, dtype=np.float64).reshape(2, 3)
    for axis, flip in enumerate(flips):
        if flip:
            corners[:, axis] = 1 - corners[::-1, axis]
    return np.asarray(corners * np.asarray(shape))


def _centre(shape: tuple[int, ...], masks: Sequence[Mask], boxes: Sequence[npt.NDArray[np.float64]]) -> list[int]:
    union = np.logical_or.reduce(masks) if masks else np.zeros((1, 1, 1), dtype=np.bool_)
    if not union.any():
        middle = np.mean([box.mean(axis=0) for box in boxes], axis=0) if boxes else np.asarray(shape) / 2
        return [int(np.clip(value, 0, length - 1)) for value, length in zip(middle, shape, strict=True)]
    centre = []
    for axis in range(3):
        area = union.sum(axis=tuple(other for other in range(3) if other != axis))
        middle = round(float(np.average(np.arange(area.size), weights=area)))
        # Between two lungs the middle plane holds nothing: show the fullest one then.
        centre.append(middle if area[middle] >= 0.25 * area.max() else int(area.argmax()))
    return centre


def _stored(centre: Sequence[int], shape: tuple[int, ...], flips: Sequence[bool]) -> list[int]:
    return [size - 1 - place if flip else place for place, size, flip in zip(centre, shape, flips, strict=True)]


def _draw_box(ax: Axes, corners: npt.NDArray[np.float64], axis: int, place: int, colour: str) -> None:
    from matplotlib.patches import Rectangle

    (row0, column0), (row1, column1) = np.delete(corners, axis, axis=1)
    inside = corners[0, axis] < place + 1 and corners[1, axis] > place
    style = "--" if inside else ":"
    corner = (column0 - 0.5, row0 - 0.5)
    ax.add_patch(Rectangle(corner, column1 - column0, row1 - row0, fill=False, edgecolor=colour, linestyle=style))


def _letters(ax: Axes, rows: str, columns: str) -> None:
    places = ((0.5, 0.98, _OPPOSITE[rows]), (0.5, 0.02, rows), (0.02, 0.5, _OPPOSITE[columns]), (0.98, 0.5, columns))
    for x, y, letter in places:
        ax.text(x, y, letter, color="#ffe066", fontsize=9, ha="center", va="center", transform=ax.transAxes)


def _legend(figure: Any, colours: Mapping[str, str], masks: Mapping[str, Mask]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, label=name, linestyle="-" if name in masks else "--")
        for name, colour in colours.items()
    ]
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=4, frameon=False, labelcolor="white", fontsize=9
        )
