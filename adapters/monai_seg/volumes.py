"""Between a stored volume and what a network takes: axes, spacing, values; and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from m3dbench.adapters.monai_seg.description import Input
from m3dbench.adapters.nets.grids import Grid, image_of, resized
from m3dbench.data.geometry import GRID_AXES, Geometry
from m3dbench.errors import UserError

NO_SPACING = "spacing unknown, volume taken as it is"
_OPPOSITE = dict(zip("RLAPSI", "LRPAIS", strict=True))


@dataclass(frozen=True)
class Axes:
    """order: the stored axis that lies along each of the network's. flipped: those that run the other way there."""

    order: Grid
    flipped: tuple[int, ...]

    @staticmethod
    def of(stored: str, wanted: str) -> Axes:
        """Between two orientation codes such as SAR and RAS."""
        places = {letter: axis for axis, letter in enumerate(stored)}
        order = [places.get(letter, places.get(_OPPOSITE[letter], -1)) for letter in wanted]
        flipped = tuple(axis for axis, letter in enumerate(wanted) if letter not in places)
        return Axes((order[0], order[1], order[2]), flipped)

    def to_network(self, image: Tensor) -> Tensor:
        """(1, 1, D, H, W) along the network's axes."""
        turned = image.permute(0, 1, *(axis + 2 for axis in self.order))
        return turned.flip([axis + 2 for axis in self.flipped]) if self.flipped else turned

    def to_stored(self, result: Tensor) -> Tensor:
        """(X, Y, Z) along the network's axes back to (D, H, W)."""
        turned = result.flip(self.flipped) if self.flipped else result
        return turned.permute(*(self.order.index(axis) for axis in range(3)))


@dataclass(frozen=True)
class Seen:
    """A volume as the network takes it, (1, 1, X, Y, Z) float32, and how it came there. size: before resampling."""

    image: Tensor
    axes: Axes
    size: Grid
    notes: tuple[str, ...]

    def back(self, scores: Tensor) -> Iterator[Tensor]:
        """The channels of scores (1, C, X, Y, Z), one by one on the stored grid (D, H, W)."""
        for channel in scores[0]:
            yield self.axes.to_stored(resized(channel[None, None], self.size)[0, 0])


def seen(volume: npt.NDArray[np.float32], geometry: Geometry | None, wanted: Input) -> Seen:
    """A stored volume (1, D, H, W), 0..1, as a network takes it.

    Without a geometry the axes are taken to be the benchmark's own. Raises UserError when HU are wanted and not known,
    ValueError when the values lie outside 0..1.
    """
    axes = Axes.of(geometry.axes_code if geometry is not None else GRID_AXES, wanted.orientation)
    image = axes.to_network(image_of(volume))
    depth, height, width = image.shape[-3:]
    size, grid = (depth, height, width), wanted.size
    notes: tuple[str, ...] = ()
    if wanted.spacing is not None and geometry is None:
        notes = (NO_SPACING,)
    elif wanted.spacing is not None and geometry is not None:
        have = [geometry.spacing_mm[axis] for axis in axes.order]
        grid = _resampled(size, have, wanted.spacing)
    image = resized(image, grid) if grid is not None else image
    return Seen(_values(image, geometry, wanted).contiguous(), axes, size, notes)


def _resampled(size: Grid, have: list[float], wanted: tuple[float, float, float]) -> Grid:
    x, y, z = (max(1, round(count * mm / mm2)) for count, mm, mm2 in zip(size, have, wanted, strict=True))
    return x, y, z


def _values(image: Tensor, geometry: Geometry | None, wanted: Input) -> Tensor:
    if wanted.window is not None:
        if geometry is None:
            raise UserError(
                "the network wants HU, and the data set does not say which HU its values are (no geometry.json)",
                field="input.window",
                fix="-o values=stored gives the network the values 0..1 as they are stored",
            )
        low, high = geometry.hu_window
        hu = image * (high - low) + low
        bottom, top = wanted.range
        image = (hu - wanted.window[0]) / (wanted.window[1] - wanted.window[0]) * (top - bottom) + bottom
        image = image.clamp(bottom, top) if wanted.clip else image
    if wanted.normalise == "minmax":
        low, high = float(image.min()), float(image.max())
        return (image - low) / max(high - low, 1e-8)
    if wanted.normalise != "none":
        inside = image[image != 0] if wanted.normalise == "zscore_nonzero" else image
        if not inside.numel():
            return image
        scaled = (image - inside.mean()) / torch.clamp(inside.std(correction=0), min=1e-8)
        return torch.where(image != 0, scaled, image) if wanted.normalise == "zscore_nonzero" else scaled
    return image
