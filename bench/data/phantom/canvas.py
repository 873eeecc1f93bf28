"""A grid laid over the body frame, and the shapes that are painted on it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .anatomy import Body, Ellipsoid, Point
from .labels import Tissue

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Window = tuple[slice, slice, slice]


def _among(tissues: Sequence[int]) -> Mask:
    table = np.zeros(256, dtype=np.bool_)
    table[list(tissues)] = True
    return table


class Canvas:
    """Labels over (z, y, x) with the warped position in mm of every voxel centre.

    ``shape`` counts voxels along (z, y, x). The field of view is ``FIELD_MM`` in y and x around the middle of the
    trunk and the body's span in z. Shapes are smooth functions of the warped position, so that the same body can be
    laid on any grid; each is evaluated in its own window only.
    """

    def __init__(self, body: Body, shape: tuple[int, int, int], field: tuple[float, float]) -> None:
        starts = (body.span[0], -field[0] / 2, -field[1] / 2)
        lengths = (body.span[1] - body.span[0], field[0], field[1])
        self.steps = tuple(length / count for length, count in zip(lengths, shape, strict=True))
        self.axes: tuple[Array, ...] = tuple(
            start + (np.arange(count, dtype=np.float64) + 0.5) * step
            for start, count, step in zip(starts, shape, self.steps, strict=True)
        )
        z, y, x = np.ix_(*self.axes)
        w = [
            amplitude * np.sin(axis * (6.2832 / length) + phase)
            for axis, (amplitude, length, phase) in zip((y, x, z, x, z, y), body.warp, strict=True)
        ]
        self.z: Array = np.broadcast_to(z + w[0] + w[1], shape)
        self.y: Array = np.broadcast_to(y + w[2] + w[3], shape)
        self.x: Array = np.broadcast_to(x + w[4] + w[5], shape)
        self.reach = 2 * max(amplitude for amplitude, _, _ in body.warp)
        self.labels = np.zeros(shape, dtype=np.uint8)

    def window(self, low: Point, high: Point) -> Window:
        """The voxels that can lie between two corners in mm, warp included; may be empty."""
        return tuple(  # type: ignore[return-value]
            slice(int(np.searchsorted(axis, a - self.reach)), int(np.searchsorted(axis, b + self.reach)))
            for axis, a, b in zip(self.axes, low, high, strict=True)
        )

    def around(self, centre: Point, radii: Point) -> Window:
        reach = max(radii)
        return self.window(
            (centre[0] - reach, centre[1] - reach, centre[2] - reach),
            (centre[0] + reach, centre[1] + reach, centre[2] + reach),
        )

    def radius(self, shape: Ellipsoid, window: Window) -> Array:
        """Squared distance from the centre in half-axes: below 1 inside the ellipsoid."""
        z = self.z[window] - shape.centre[0]
        y = self.y[window] - shape.centre[1]
        x = self.x[window] - shape.centre[2]
        if shape.tilt:
            cosine, sine = np.cos(shape.tilt), np.sin(shape.tilt)
            z, x = z * cosine + x * sine, x * cosine - z * sine
        return np.asarray((z / shape.radii[0]) ** 2 + (y / shape.radii[1]) ** 2 + (x / shape.radii[2]) ** 2)

    def paint(self, window: Window, inside: Mask, tissue: int, over: Sequence[int] | None = None) -> None:
        """Set ``tissue`` where ``inside``, on top of the tissues ``over`` only (on top of all by default)."""
        block = self.labels[window]
        if over is not None:
            inside = inside & _among(over)[block]
        block[inside] = tissue

    def ellipsoid(self, shape: Ellipsoid, tissue: int, over: Sequence[int] | None = None) -> None:
        window = self.around(shape.centre, shape.radii)
        self.paint(window, self.radius(shape, window) < 1, tissue, over)

    def tube(
        self, course: Sequence[tuple[Point, float]], tissue: int, over: Sequence[int] | None = None, share: float = 1
    ) -> None:
        """A string of cones through (centre, radius) pairs; ``share`` scales the radii."""
        for (start, first), (end, last) in pairwise(course):
            thick = max(first, last) * share
            window = self.window(
                (min(start[0], end[0]) - thick, min(start[1], end[1]) - thick, min(start[2], end[2]) - thick),
                (max(start[0], end[0]) + thick, max(start[1], end[1]) + thick, max(start[2], end[2]) + thick),
            )
            span = tuple(b - a for a, b in zip(start, end, strict=True))
            z, y, x = self.z[window] - start[0], self.y[window] - start[1], self.x[window] - start[2]
            along = np.clip((z * span[0] + y * span[1] + x * span[2]) / sum(value * value for value in span), 0, 1)
            apart = (z - along * span[0]) ** 2 + (y - along * span[1]) ** 2 + (x - along * span[2]) ** 2
            self.paint(window, apart < (share * (first + (last - first) * along)) ** 2, tissue, over)

    def gyroid(self, window: Window | tuple[npt.NDArray[np.intp], ...], period: float, phases: Point) -> Array:
        """A smooth pattern of interwoven channels, within [-1.5, 1.5]: bowel loops, stool, vessels.

        ``window`` may be a list of voxels (three index arrays): then one value for each of them.
        """
        turn = 6.2832 / period
        z = self.z[window] * turn + phases[0]
        y = self.y[window] * turn + phases[1]
        x = self.x[window] * turn + phases[2]
        return np.asarray(np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x))

    def veins(
        self, among: Sequence[int], tissue: int, first: tuple[float, float, Point], second: tuple[float, float, Point]
    ) -> None:
        """Paint thin lines through some tissues: where two patterns (period, width, phases) are both near 0."""
        where = np.nonzero(_among(among)[self.labels])
        line = np.abs(self.gyroid(where, first[0], first[2])) < first[1]
        line &= np.abs(self.gyroid(where, second[0], second[2])) < second[1]
        self.labels[tuple(axis[line] for axis in where)] = tissue

    def voxel(self, point: Point) -> tuple[int, int, int] | None:
        """The voxel whose warped centre is nearest to a point in mm; None when the point is out of view."""
        nominal = [int(np.argmin(np.abs(axis - value))) for axis, value in zip(self.axes, point, strict=True)]
        if not self.axes[0][0] - self.steps[0] <= point[0] <= self.axes[0][-1] + self.steps[0]:
            return None
        pads = [int(self.reach / step) + 1 for step in self.steps]
        window = tuple(slice(max(0, index - pad), index + pad + 1) for index, pad in zip(nominal, pads, strict=True))
        apart = (self.z[window] - point[0]) ** 2 + (self.y[window] - point[1]) ** 2 + (self.x[window] - point[2]) ** 2
        best = np.unravel_index(int(np.argmin(apart)), apart.shape)
        z, y, x = (int(part.start) + int(index) for part, index in zip(window, best, strict=True))
        return z, y, x

    def flatten(
        self, tissues: Sequence[int], filler: int = Tissue.VISCERAL_FAT, slab: tuple[float, float] = (0, 0)
    ) -> None:
        """Keep ``tissues`` only in the z range ``slab`` (mm, half-open); ``filler`` takes their place elsewhere."""
        beyond = (self.axes[0] < slab[0]) | (self.axes[0] >= slab[1])
        block = self.labels[beyond]
        block[_among(tissues)[block]] = filler
        self.labels[beyond] = block
