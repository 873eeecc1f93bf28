"""Putting the slices of a series in order: by their place along the normal, with what is wrong with their distances."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.raw.series import Series, Slice
from m3dbench.errors import DataError

_SAME_MM = 0.01
_GAP = 1.5
_EVEN = 0.02
_TILT_DEGREES = 0.5
_ASIDE_MM = 1.0

Place = npt.NDArray[np.float64]


def place_slices(folder: Path, series: Series) -> tuple[list[Slice], Place, tuple[str, ...]]:
    """(slices in order along the normal, affine (4, 4) from (column, row, slice) to RAS+ mm, notes).

    Notes tell of uneven distances and of a tilted gantry; the affine then holds the mean distance, and the shear.
    Raises DataError for fewer than two slices, slices without a place, doubled or missing ones, and such as lie beside
    the line of the others.
    """
    rows, columns = _directions(series)
    normal = np.cross(rows, columns)
    ordered = sorted(series.slices, key=lambda one: (float(np.dot(one.position, normal)), one.path.name))
    places = np.array([one.position for one in ordered], dtype=np.float64)
    steps = np.diff(places @ normal)
    _refuse_doubled(ordered, steps)
    if len(ordered) < 2:
        raise DataError("the series has a single slice", file=ordered[0].path, fix="give a folder with a whole series")
    usual = float(np.median(steps))
    _refuse_gaps(folder, ordered, steps, usual)
    step = (places[-1] - places[0]) / (len(ordered) - 1)
    _refuse_aside(ordered, places, step, usual)
    affine = np.eye(4)
    height, width = ordered[0].spacing
    affine[:3, 0], affine[:3, 1] = rows * width, columns * height
    affine[:3, 2], affine[:3, 3] = step, places[0]
    # DICOM's axes run to the patient's left and back.
    affine[:2] *= -1
    return ordered, affine, (*_uneven(steps, usual), *_tilted(step, normal))


def _directions(series: Series) -> tuple[Place, Place]:
    for one in series.slices:
        for name, value, size in (
            ("ImagePositionPatient", one.position, 3),
            ("ImageOrientationPatient", one.orientation, 6),
            ("PixelSpacing", one.spacing, 2),
        ):
            if len(value) != size or not np.isfinite(value).all():
                raise DataError(
                    f"the slice has no {name}, so its place is unknown",
                    file=one.path,
                    field=name,
                    fix="export the original slices again: secondary captures have no place",
                )
    one = series.slices[0]
    rows, columns = np.array(one.orientation[:3]), np.array(one.orientation[3:])
    lengths = (float(np.linalg.norm(rows)), float(np.linalg.norm(columns)))
    if min(one.spacing) <= 0 or min(lengths) < 0.9 or abs(float(np.dot(rows, columns))) > 0.01:
        raise DataError(
            "the directions of rows and columns, or their distances, cannot be",
            file=one.path,
            field="ImageOrientationPatient, PixelSpacing",
            fix="export the slices again",
        )
    return rows / lengths[0], columns / lengths[1]


def _refuse_doubled(ordered: list[Slice], steps: Place) -> None:
    doubled = [pair for pair, step in zip(pairwise(ordered), steps, strict=True) if step < _SAME_MM]
    if doubled:
        first, second = doubled[0]
        raise DataError(
            f"{len(doubled)} slices lie at the place of another, first {first.path.name} and {second.path.name}: "
            "copies, or several pictures of one place in one series",
            file=first.path.parent,
            field="ImagePositionPatient",
            fix="leave one of each",
        )


def _refuse_gaps(folder: Path, ordered: list[Slice], steps: Place, usual: float) -> None:
    gaps = [(pair, float(step)) for pair, step in zip(pairwise(ordered), steps, strict=True) if step > _GAP * usual]
    if gaps:
        told = ", ".join(
            f"between {first.path.name} and {second.path.name} ({step:.4g} mm)" for (first, second), step in gaps[:3]
        )
        more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
        raise DataError(
            f"slices are missing: they are {usual:.4g} mm apart, but there are gaps {told}{more}",
            file=folder,
            field="ImagePositionPatient",
            fix="copy the missing slices, or keep the longer part only",
        )


def _refuse_aside(ordered: list[Slice], places: Place, step: Place, usual: float) -> None:
    """Slices may drift evenly (a tilted gantry), but not jump to the side."""
    along = step / np.linalg.norm(step)
    offsets = places - places[0]
    aside = np.linalg.norm(offsets - np.outer(offsets @ along, along), axis=1)
    worst = int(np.argmax(aside))
    if aside[worst] > max(_ASIDE_MM, 0.1 * usual):
        raise DataError(
            f"the slices do not lie on one line: {ordered[worst].path.name} is {aside[worst]:.4g} mm aside",
            file=ordered[worst].path,
            field="ImagePositionPatient",
            fix="several stacks may be mixed: give each a folder of its own",
        )


def _uneven(steps: Place, usual: float) -> tuple[str, ...]:
    off: Any = np.abs(steps - usual)
    if float(off.max()) <= max(_EVEN * usual, _SAME_MM):
        return ()
    least, most, mean = (float(value) for value in (steps.min(), steps.max(), steps.mean()))
    return (f"uneven slices: {least:.4g} to {most:.4g} mm apart, taken as {mean:.4g} mm",)


def _tilted(step: Place, normal: Place) -> tuple[str, ...]:
    angle = float(np.degrees(np.arccos(np.clip(np.dot(step / np.linalg.norm(step), normal), -1, 1))))
    if angle <= _TILT_DEGREES:
        return ()
    return (f"tilted gantry: slices shift by {angle:.3g} degrees; they were not straightened, the affine holds it",)
