"""The trunk: skin, fat, muscle, lungs, heart and bones, on which the organs are painted."""

from __future__ import annotations

import numpy as np

from .anatomy import Body, Ellipsoid
from .canvas import Array, Canvas
from .labels import Tissue

_WALL_MM = 13.0
_ALL = (slice(None), slice(None), slice(None))


class _Outline:
    """The trunk's outline, shrunk by any number of mm: between an ellipse and a rounded box."""

    def __init__(self, body: Body, z: Array, y: Array, x: Array) -> None:
        self._width = body.half_width * (1 + 0.05 * np.clip((z - 260) / 100, 0, 1))
        self._depth = body.half_depth
        self._x = x
        self._y = y * y
        self._behind = y > 0

    def __call__(self, inset: float, back: float) -> Array:
        """Below 1 inside the outline shrunk by ``inset`` mm (``back`` mm at the spine's side)."""
        x = self._x / (self._width - inset)
        x *= x
        y = self._y * np.where(self._behind, (self._depth - back) ** -2, (self._depth - inset) ** -2)
        return np.asarray(x + y * (1 - 0.35 * x))


def _lungs(canvas: Canvas, body: Body, cavity: Array) -> None:
    chest = (slice(0, int(np.searchsorted(canvas.axes[0], 190))), slice(None), slice(None))
    z, y, x = canvas.z[chest], canvas.y[chest], canvas.x[chest]
    side = np.where(x < 0, 66.0, 72.0)
    dome = np.where(x < 0, 48.0, 33.0) * np.exp(-(((np.abs(x) - side) / 66) ** 2) - ((y + 6) / 72) ** 2)
    floor = 118 + 0.32 * np.clip(y, -60, 90) - dome
    middle = (np.abs(x - 6) < 26 + 0.12 * np.abs(y)) & (y > -200)
    lung = (cavity[chest] < 1) & (z < floor) & ~middle
    lower = y > 22 - 0.75 * z
    for right, codes in (
        (True, (Tissue.LUNG_LOWER_RIGHT, Tissue.LUNG_UPPER_RIGHT)),
        (False, (Tissue.LUNG_LOWER_LEFT, Tissue.LUNG_UPPER_LEFT)),
    ):
        here = lung & ((x < 6) == right)
        canvas.paint(chest, here & lower, codes[0])
        canvas.paint(chest, here & ~lower, codes[1])
    lines = ((52, 0.12, (0.2, 1.4, 2.9)), (40, 0.2, (2.2, 0.4, 1.9)))
    canvas.veins((Tissue.LUNG_UPPER_RIGHT,), Tissue.LUNG_VESSEL_RIGHT, *lines)
    canvas.veins((Tissue.LUNG_UPPER_LEFT,), Tissue.LUNG_VESSEL_LEFT, *lines)
    heart = body.organs["heart"]
    over = (*range(Tissue.LUNG_LOWER_LEFT, Tissue.LUNG_VESSEL_RIGHT + 1), Tissue.VISCERAL_FAT)
    canvas.ellipsoid(heart, Tissue.MYOCARDIUM, over)
    window = canvas.around(heart.centre, heart.radii)
    septum = np.abs(canvas.x[window] - heart.centre[2] + 0.5 * canvas.y[window] + 16) < 7
    canvas.paint(window, (canvas.radius(heart, window) < 0.66) & ~septum, Tissue.HEART, (Tissue.MYOCARDIUM,))


def paint_trunk(canvas: Canvas, body: Body) -> None:
    """Skin, fat, the muscular wall, the cavity's fat, lungs and heart."""
    outline, back = _Outline(body, canvas.z, canvas.y, canvas.x), body.fat * 0.7
    canvas.paint(_ALL, outline(0, 0) < 1, Tissue.SKIN)
    canvas.paint(_ALL, outline(2.5, 2.5) < 1, Tissue.FAT)
    canvas.paint(_ALL, outline(body.fat, back) < 1, Tissue.MUSCLE)
    cavity = outline(body.fat + _WALL_MM, back + _WALL_MM)
    canvas.paint(_ALL, cavity < 1, Tissue.VISCERAL_FAT)
    _lungs(canvas, body, cavity)
    for side in (-1, 1):
        canvas.ellipsoid(Ellipsoid((200, 88, side * 36), (400, 22, 30)), Tissue.MUSCLE)
        loin = [
            ((212.0, 62.0, side * 30.0), 11.0),
            ((300.0, 54.0, side * 44.0), 20.0),
            ((390.0, 12.0, side * 66.0), 22.0),
        ]
        canvas.tube(loin, Tissue.MUSCLE, (Tissue.VISCERAL_FAT,))


def _ribs(canvas: Canvas, body: Body) -> None:
    where = np.nonzero((canvas.labels == Tissue.MUSCLE) & (np.abs(canvas.x) > 26))
    z, y, x = canvas.z[where], canvas.y[where], canvas.x[where]
    outline, back = _Outline(body, z, y, x), body.fat * 0.7
    slope = z + 0.62 * y
    rib = (np.mod(slope, 29) < 10.5) & (slope < 232) & (z < 205 + 0.8 * y)
    rib &= (outline(body.fat + 2, back + 2) < 1) & (outline(body.fat + _WALL_MM - 2, back + _WALL_MM - 2) >= 1)
    canvas.labels[tuple(axis[rib] for axis in where)] = Tissue.RIB


def _pelvis(canvas: Canvas) -> None:
    for side in (-1, 1):
        wing = Ellipsoid((372, 38, side * 96), (66, 62, 17), tilt=side * -0.3)
        window = canvas.around(wing.centre, wing.radii)
        radius = canvas.radius(wing, window)
        canvas.paint(window, radius < 1, Tissue.PELVIS)
        canvas.paint(window, radius < 0.55, Tissue.MARROW)
        canvas.ellipsoid(
            Ellipsoid((392, 86, side * 78), (60, 24, 44)), Tissue.MUSCLE, (Tissue.FAT, Tissue.VISCERAL_FAT)
        )


def paint_bones(canvas: Canvas, body: Body, vertebrae: int) -> None:
    """Ribs, pelvis, sacrum and the named vertebrae with discs, arches and canal."""
    _ribs(canvas, body)
    _pelvis(canvas)
    bottom = body.spine_top + vertebrae * body.level
    centre = 72.0
    canvas.ellipsoid(Ellipsoid((bottom + 26, centre + 12, 0), (44, 26, 50)), Tissue.SACRUM)
    window = canvas.window((-50, centre - 30, -50), (bottom, centre + 60, 50))
    z, y, x = canvas.z[window], canvas.y[window] - centre, canvas.x[window]
    size = 0.82 + 0.3 * np.clip(z / 350, 0, 1)
    disc = ((x / (25 * size)) ** 2 + (y / (18.5 * size)) ** 2 < 1) & (z < bottom)
    position = (z - body.spine_top) / body.level
    index = np.clip(np.floor(position), 0, vertebrae - 1).astype(np.int64)
    part = position - np.floor(position)
    process = (z < bottom) & (part > 0.25) & (part < 0.72)
    arch = (
        ((np.abs(x) < 4.5) & (y > 30) & (y < 52))
        | ((np.abs(y - 30) < 6) & (np.abs(x) < 36))
        | ((np.abs(y - 22) < 9) & (np.abs(np.abs(x) - 15) < 5))
    )
    canvas.paint(window, process & arch, Tissue.ARCH)
    canvas.paint(window, (x / 11) ** 2 + ((y - 26) / 9) ** 2 < 1, Tissue.CANAL)
    canvas.paint(window, disc, Tissue.DISC)
    bodies = disc & (part < 0.8)
    block = canvas.labels[window]
    block[bodies] = (Tissue.FIRST_VERTEBRA + index[bodies]).astype(np.uint8)
