"""Boxes in text: a strict reader for corrected scoring, and the reference's own reading and writing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from m3dbench.metrics.box_convention import M3D, BoxConvention, Grid
from m3dbench.metrics.pairs import Box

TOLERANCE = 0.01
"""How far outside [0, 1] a bound may lie before the box is rejected; within it, the bound is clipped."""

_NUMBER = r"[-+]?(?:(?:\d++\.?+\d*+|\.\d++)(?:[eE][-+]?\d++)?|nan|inf(?:inity)?)"
_SIX = r"\s*,\s*".join([f"({_NUMBER})"] * 6)
_BRACKETED = re.compile(rf"(<bx_start>\s*)?(?:\[\s*{_SIX}\s*\]|\(\s*{_SIX}\s*\))", re.IGNORECASE)
_UPSTREAM = re.compile(r"\[" + ", ".join([r"([-+]?(?:\d++(?:\.\d++)?|\.\d++))"] * 6) + r"\]")


@dataclass(frozen=True, slots=True)
class BoxAnswer:
    """What was read: the canonical box, or None and the reason. ``found`` counts the groups of six numbers."""

    box: Box | None
    reason: str = ""
    found: int = 0


def box_from_text(
    text: str, *, convention: BoxConvention = M3D, grid: Grid = (32, 256, 256), tolerance: float = TOLERANCE
) -> BoxAnswer:
    """The box that an answer states, clipped to the grid.

    Six numbers in square or round brackets, with commas between; integers, ".5", "0." and "1e-1" are numbers. One group
    decides: the first after ``<bx_start>``, else the first; no later group stands in for a bad one. Rejected: NaN and
    infinity, an upper bound below its lower bound, a bound outside [0, 1] by more than ``tolerance`` (in fractions of
    the axis, before the last voxel is added to an inclusive bound). A box without volume is a box.

    Bounds of an inclusive convention name voxels and are rounded to whole ones: three digits tell the voxels of an axis
    of up to 500 apart, and a perfect answer then has an IoU of exactly 1.
    """
    groups = list(_BRACKETED.finditer(text))
    if not groups:
        return BoxAnswer(None, "no six numbers in brackets")
    chosen = next((group for group in groups if group[1] is not None), groups[0])
    values = [float(number) for number in chosen.groups()[1:] if number is not None]
    return read_box(values, convention=convention, grid=grid, tolerance=tolerance, found=len(groups))


def read_box(
    values: Sequence[float],
    *,
    convention: BoxConvention = M3D,
    grid: Grid = (32, 256, 256),
    tolerance: float = TOLERANCE,
    found: int = 1,
) -> BoxAnswer:
    """The box that six numbers mean under a convention, by the rules of ``box_from_text``."""
    try:
        lower, upper = convention.bounds(values, grid)
    except ValueError as error:
        return BoxAnswer(None, str(error), found)
    if any(high < low for low, high in zip(lower, upper, strict=True)):
        return BoxAnswer(None, "an upper bound lies below its lower bound", found)
    if min(lower) < -tolerance or max(upper) > 1 + tolerance:
        return BoxAnswer(None, "a bound lies outside the volume", found)
    bounds = [*lower, *upper]
    if convention.upper == "inclusive":
        bounds = [
            (round(bound * size) + (place > 2)) / size
            for place, (bound, size) in enumerate(zip(bounds, grid * 2, strict=True))
        ]
    d0, h0, w0, d1, h1, w1 = (min(max(bound, 0.0), 1.0) for bound in bounds)
    return BoxAnswer((d0, h0, w0, d1, h1, w1), "", found)


def box_to_text(box: Box, grid: Grid) -> str:
    """A canonical box as the reference writes it: ``<bx_start>[d0, h0, w0, d1, h1, w1]<bx_end>``.

    Fractions of the grid (D, H, W) with an inclusive maximum, rounded to three digits (Q-REC-3).
    """
    return f"<bx_start>{[round(float(value), 3) + 0.0 for value in M3D.from_canonical(box, grid)]}<bx_end>"


def upstream_box_from_text(text: str) -> Box | None:
    """The reference's reading (Q-REC-5): the first ``[...]`` of six plain decimals with exactly ", " between them.

    The numbers come back as written, in no checked order or range; "0.", exponents and padding inside the brackets are
    not read.
    """
    found = _UPSTREAM.search(text)
    if found is None:
        return None
    d0, h0, w0, d1, h1, w1 = map(float, found.groups())
    return (d0, h0, w0, d1, h1, w1)
