"""How much of a mask's surface lies in each 2 x 2 x 2 neighbourhood of voxel centres, for any voxel spacing.

Marching cubes with the surface half-way between an inside and an outside voxel centre. A neighbourhood is a cube whose
corners are eight voxel centres; inside it the surface cuts off groups of corners that hang together along cube edges.
Where inside and outside meet diagonally, the smaller side is the one that is cut off (inside, if both have four).
The areas equal those of MONAI's and surface-distance's neighbour-code table, which the tests show for all 256 codes.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations, product

import numpy as np
import numpy.typing as npt

Spacing = tuple[float, float, float]
AreaVector = tuple[float, float, float]
Corner = tuple[int, int, int]

CORNERS: tuple[Corner, ...] = tuple((d, h, w) for d, h, w in product((0, 1), repeat=3))
EMPTY, FULL = 0, 255


def neighbour_codes(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """The code of every neighbourhood of a mask (D, H, W), (D - 1, H - 1, W - 1): bit i is corner ``CORNERS[i]``."""
    values = mask.astype(np.uint8)
    size = tuple(length - 1 for length in mask.shape)
    codes = np.zeros(size, dtype=np.uint8)
    for bit, corner in enumerate(CORNERS):
        part = tuple(slice(start, start + length) for start, length in zip(corner, size, strict=True))
        codes |= values[part] << np.uint8(bit)
    return codes


def areas_by_code(spacing: Spacing) -> npt.NDArray[np.float64]:
    """Surface area in mm^2 of each of the 256 neighbourhood codes; ``spacing`` in mm (D, H, W)."""
    depth, height, width = spacing
    faces = np.array([height * width, depth * width, depth * height])
    return np.array([sum(np.linalg.norm(vector * faces) for vector in _cuts(code)) for code in range(256)], dtype=float)


@cache
def _cuts(code: int) -> tuple[npt.NDArray[np.float64], ...]:
    """The flat pieces of surface in a neighbourhood as area vectors: areas projected along D, H and W, voxels of 1."""
    inside = [corner for bit, corner in enumerate(CORNERS) if code >> bit & 1]
    smaller = inside if len(inside) <= 4 else [corner for corner in CORNERS if corner not in inside]
    return tuple(np.asarray(vector) for group in _groups(smaller) for vector in _pieces(group))


def _groups(corners: list[Corner]) -> list[list[Corner]]:
    """Corners that hang together along cube edges."""
    groups: list[list[Corner]] = []
    for corner in corners:
        joined = [group for group in groups if any(_edge(corner, other) is not None for other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([corner, *(other for group in joined for other in group)])
    return groups


def _edge(one: Corner, other: Corner) -> int | None:
    """The axis of the cube edge between two corners, None where there is none."""
    axes = [axis for axis in range(3) if one[axis] != other[axis]]
    return axes[0] if len(axes) == 1 else None


def _pieces(group: list[Corner]) -> list[AreaVector]:
    """The flat pieces that cut a group of at most four corners off.

    One corner: a triangle. Two: a rectangle along their edge. Three: half the middle plane, and a trapezoid. Four: the
    middle plane for a face; the regular hexagon for a corner with its three neighbours; for a path of three edges,
    slanted triangles of 1/2 in all, and two that lean over the first and the last edge.
    """
    edges = [(one, other, axis) for one, other in combinations(group, 2) if (axis := _edge(one, other)) is not None]
    along = [sum(axis == wanted for _, _, axis in edges) for wanted in range(3)]
    if len(group) == 1:
        return [_even(1 / 8)]
    if len(group) == 2:
        return [_only(1 / 2, *(axis for axis in range(3) if not along[axis]))]
    if len(group) == 3:
        return [_only(1 / 2, along.index(0)), _even(3 / 8)]
    if len(edges) == 4:
        return [_only(1.0, along.index(0))]
    degrees = {corner: sum(corner in edge[:2] for edge in edges) for corner in group}
    if max(degrees.values()) == 3:
        return [_even(3 / 4)]
    middle = next(axis for one, other, axis in edges if degrees[one] == degrees[other] == 2)
    return [_even(1 / 2), *(_only(1 / 4, middle, axis) for axis in range(3) if axis != middle)]


def _even(size: float) -> AreaVector:
    return (size, size, size)


def _only(size: float, *axes: int) -> AreaVector:
    depth, height, width = (size if axis in axes else 0.0 for axis in range(3))
    return (depth, height, width)
