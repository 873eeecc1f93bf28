"""How six numbers name a box: axis order, unit, upper bound and form, declared by an adapter and converted once.

The canonical box of this project is (d0, h0, w0, d1, h1, w1) in fractions of the grid, half-open: a box of voxels i to
j along an axis of n voxels is (i / n, (j + 1) / n), so that one slice has volume.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from m3dbench.metrics.pairs import Box

Triple = tuple[float, float, float]
Grid = tuple[int, int, int]

_AXIS = {"d": 0, "h": 1, "w": 2, "z": 0, "y": 1, "x": 2}


@dataclass(frozen=True, slots=True)
class BoxConvention:
    """A way to write a box as six numbers.

    axes: order of the axes, a permutation of "dhw" or, for the same axes, of "zyx" (x runs along W, z along D).
    unit: ``fraction`` of the axis, ``voxel`` index, or ``per_1000`` of the axis.
    upper: is the last voxel's own index the upper bound (``inclusive``) or the index after it (``exclusive``).
    form: ``corners`` is the three lower bounds, then the three upper ones; ``center_size`` is the middle of those
        bounds, then their distance.
    Raises ValueError for axes that are no such permutation.
    """

    axes: str = "dhw"
    unit: Literal["fraction", "voxel", "per_1000"] = "fraction"
    upper: Literal["inclusive", "exclusive"] = "exclusive"
    form: Literal["corners", "center_size"] = "corners"

    def __post_init__(self) -> None:
        if sorted(self.axes) not in (sorted("dhw"), sorted("xyz")):
            raise ValueError(f"box axes must be a permutation of 'dhw' or of 'zyx', not {self.axes!r}")

    def to_canonical(self, values: Sequence[float], grid: Grid) -> Box:
        """Six numbers in this convention -> canonical box; ``grid`` is (D, H, W). The inverse of ``from_canonical``.

        Neither order nor range is checked. Raises ValueError unless there are six finite numbers and a positive grid.
        """
        lower, upper = self.bounds(values, grid)
        last = self._last(grid)
        d1, h1, w1 = (high + step for high, step in zip(upper, last, strict=True))
        return (*lower, d1, h1, w1)

    def from_canonical(self, box: Box, grid: Grid) -> Box:
        """Canonical box -> six numbers in this convention, in its axis order. Raises as ``to_canonical`` does."""
        _check(box, grid)
        scale = self._scale(grid)
        lower = [box[axis] * scale[axis] for axis in range(3)]
        upper = [(box[axis + 3] - step) * scale[axis] for axis, step in enumerate(self._last(grid))]
        if self.form == "center_size":
            middle = [(low + high) / 2 for low, high in zip(lower, upper, strict=True)]
            lower, upper = middle, [high - low for low, high in zip(lower, upper, strict=True)]
        a, b, c = (_AXIS[axis] for axis in self.axes)
        return (lower[a], lower[b], lower[c], upper[a], upper[b], upper[c])

    def bounds(self, values: Sequence[float], grid: Grid) -> tuple[Triple, Triple]:
        """Lower and upper bounds (d, h, w) as fractions, the upper one as written: inclusive if the convention is."""
        _check(values, grid)
        lower, upper = [0.0] * 3, [0.0] * 3
        for place, name in enumerate(self.axes):
            axis = _AXIS[name]
            first, second = values[place] / self._scale(grid)[axis], values[place + 3] / self._scale(grid)[axis]
            if self.form == "center_size":
                first, second = first - second / 2, first + second / 2
            lower[axis], upper[axis] = first, second
        return (lower[0], lower[1], lower[2]), (upper[0], upper[1], upper[2])

    def _scale(self, grid: Grid) -> Triple:
        if self.unit == "voxel":
            return (float(grid[0]), float(grid[1]), float(grid[2]))
        return (1.0, 1.0, 1.0) if self.unit == "fraction" else (1000.0, 1000.0, 1000.0)

    def _last(self, grid: Grid) -> Triple:
        """What the last voxel adds to an upper bound, as a fraction."""
        return (1 / grid[0], 1 / grid[1], 1 / grid[2]) if self.upper == "inclusive" else (0.0, 0.0, 0.0)


M3D = BoxConvention(axes="dhw", unit="fraction", upper="inclusive", form="corners")
"""What M3D's reference answers and M3D-LaMed write, rounded to three digits (Q-REC-3)."""


def _check(values: Sequence[float], grid: Grid) -> None:
    if len(values) != 6 or not all(map(math.isfinite, values)):
        raise ValueError(f"a box is six finite numbers, not {tuple(values)!r}")
    if len(grid) != 3 or min(grid) < 1:
        raise ValueError(f"a grid is three positive sizes (D, H, W), not {grid!r}")
