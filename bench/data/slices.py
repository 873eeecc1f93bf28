"""Pictures for models that see in two dimensions: slices of a volume, chosen, windowed, scaled, and set in a montage.

The one place that makes them. Volumes are (1, D, H, W) or (D, H, W); a slice along D shows H downwards and W to the
right, one along H shows D downwards and W to the right, one along W shows D downwards and H to the right, as stored
unless ``flip`` says otherwise. Nothing here knows which way is up in the patient: M3D-Data states no orientation.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from m3dbench.errors import UserError, missing_extra

AXES = "dhw"
Picture = npt.NDArray[np.uint8]
Rule = Literal["middle", "ends", "upstream"]
_BACKGROUND = 0.1
_PERCENTILES = (5.0, 99.5)
GAP = 4
"""Pixels between the parts of a montage."""


@dataclass(frozen=True)
class Window:
    """Which stored values become black and white. Without bounds they follow the volume: the 5th and 99.5th percentile
    of its voxels that are brighter than a tenth of its range, so that air around the patient does not decide."""

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        given = [bound for bound in (self.low, self.high) if bound is not None]
        if len(given) == 1 or (given and not (all(map(math.isfinite, given)) and given[0] < given[1])):
            raise UserError(f"{self.low}..{self.high} is no window", field="window", fix="two bounds, the lower first")

    @staticmethod
    def parse(text: str) -> Window:
        """``auto``, ``full`` (0..1) or ``LOW..HIGH`` in stored values. Raises UserError for anything else."""
        if text in ("auto", "full"):
            return Window() if text == "auto" else Window(0.0, 1.0)
        low, dots, high = text.partition("..")
        try:
            return Window(float(low), float(high) if dots else None)
        except ValueError as error:
            fix = "auto, full, or LOW..HIGH in stored values, as 0.34..0.5"
            raise UserError(f"{text!r} is no window", field="window", fix=fix) from error

    def bounds(self, volume: npt.NDArray[Any]) -> tuple[float, float]:
        """The stored values of black and white in this volume."""
        if self.low is not None and self.high is not None:
            return self.low, self.high
        low, high = float(volume.min()), float(volume.max())
        bright = volume[volume > low + _BACKGROUND * (high - low)]
        if bright.size:
            first, last = (float(value) for value in np.percentile(bright, _PERCENTILES))
            low, high = (first, last) if first < last else (low, high)
        return (low, high) if low < high else (low, low + 1.0)


@dataclass(frozen=True)
class Slices:
    """How pictures are made of a volume.

    axis: ``d``, ``h`` or ``w``. count: slices wanted. rule: see ``indices``. windows: one picture a slice and window,
    those of one slice together. size: side of the square that a slice is scaled to (bilinear), 0 for its own size in
    voxels. montage: columns of one picture that holds all, 0 for one picture each. flip: axes that are shown reversed.
    Raises UserError for values that cannot be.
    """

    axis: str = "d"
    count: int = 10
    rule: Rule = "middle"
    windows: tuple[Window, ...] = (Window(),)
    size: int = 512
    montage: int = 0
    flip: str = ""

    def __post_init__(self) -> None:
        if self.axis not in tuple(AXES):
            raise UserError(f"{self.axis!r} is no axis", field="axis", fix="d, h or w")
        if set(self.flip) - set(AXES):
            raise UserError(f"{self.flip!r} names no axes", field="flip", fix="letters of d, h and w")
        if self.rule not in ("middle", "ends", "upstream"):
            raise UserError(f"there is no rule {self.rule!r}", field="slices", fix="middle, ends or upstream")
        if self.count < 1 or self.size < 0 or self.montage < 0 or not self.windows:
            raise UserError("slices, size, montage and windows cannot be negative or none", field="slices")


def indices(length: int, count: int, rule: Rule = "middle") -> list[int]:
    """Which of ``length`` slices are shown, rising, none twice.

    ``middle``: the middles of ``count`` equal parts. ``ends``: evenly from the first to the last. ``upstream``: every
    ``length // count``-th from the first, which is up to ``2 * count - 1`` of them, as the reference shows them to
    GPT-4V (Q-VQA-5). All of them where there are no more than ``count``.
    """
    if length <= count:
        return list(range(length))
    if rule == "upstream":
        return list(range(0, length, length // count))
    if rule == "ends":
        return [length // 2] if count == 1 else [round(place * (length - 1) / (count - 1)) for place in range(count)]
    return [int((place + 0.5) * length / count) for place in range(count)]


def pictures(volume: npt.NDArray[Any], how: Slices) -> list[Picture]:
    """Grey pictures (rows, columns), uint8. Raises UserError for an array that is no volume, or without Pillow."""
    made = list(_single(volume, how))
    return [montage(made, how.montage)] if how.montage else made


def png(picture: Picture) -> bytes:
    """A picture as a PNG file's bytes."""
    stream = io.BytesIO()
    _pillow().fromarray(picture).save(stream, format="PNG", optimize=False, compress_level=6)
    return stream.getvalue()


def montage(parts: Sequence[Picture], columns: int) -> Picture:
    """Pictures of one size side by side, row by row, black where there are none left."""
    height, width = parts[0].shape
    columns = min(columns, len(parts))
    rows = math.ceil(len(parts) / columns)
    whole = np.zeros((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), dtype=np.uint8)
    for place, part in enumerate(parts):
        top, left = (place // columns) * (height + GAP), (place % columns) * (width + GAP)
        whole[top : top + height, left : left + width] = part
    return whole


def _single(volume: npt.NDArray[Any], how: Slices) -> Iterator[Picture]:
    values = volume[0] if volume.ndim == 4 and volume.shape[0] == 1 else volume
    if values.ndim != 3:
        raise UserError(f"an array of shape {volume.shape} is no volume", fix="expected (1, D, H, W) or (D, H, W)")
    bounds = [window.bounds(values) for window in how.windows]
    values = values[tuple(slice(None, None, -1 if axis in how.flip else 1) for axis in AXES)]
    axis = AXES.index(how.axis)
    for index in indices(values.shape[axis], how.count, how.rule):
        plane = values.take(index, axis=axis).astype(np.float32)
        for low, high in bounds:
            grey = np.clip((plane - low) / (high - low), 0.0, 1.0)
            yield _scaled(grey, how.size)


def _scaled(grey: npt.NDArray[np.float32], size: int) -> Picture:
    if size:
        image = _pillow().fromarray(grey).resize((size, size), resample=2)
        grey = np.asarray(image, dtype=np.float32)
    picture: Picture = np.rint(np.clip(grey, 0.0, 1.0) * 255.0).astype(np.uint8)
    return picture


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise missing_extra("Making pictures of slices", "data") from error
    return Image
