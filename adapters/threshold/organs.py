"""Soft organs by place and homogeneity: a zone beside the spine, its commonest density, the largest even block of it.

Zones are in fractions of the body's width and height from the spine's centre: ``across`` is negative on the patient's
left, ``ahead`` is positive towards the front. They come from general anatomy, not from a training set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from m3dbench.adapters.threshold.anatomy import Anatomy
from m3dbench.adapters.threshold.shapes import enlarge, fill, grow, shrink

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Zone:
    """Where an organ may lie and how it looks. ``level``: the slices between hips and mid-chest, of the hips, or of
    the chest.

    ``tolerance``: HU around the zone's commonest density; ``waist``: width of the bridges to neighbours that are cut,
    in fractions of the body's width; ``least`` and ``most``: size as a share of the body in view; ``avoid``: organs
    whose voxels are taken; ``pieces``: parts from this share of the largest on belong to the organ.
    """

    across: tuple[float, float]
    ahead: tuple[float, float]
    tolerance: float
    waist: float
    level: Literal["abdomen", "pelvis", "chest"] = "abdomen"
    densities: tuple[float, float] = (0.0, 220.0)
    least: float = 0.0005
    most: float = 0.3
    avoid: tuple[str, ...] = ()
    pieces: float = 1.0


ZONES: dict[str, Zone] = {
    "liver": Zone((-0.12, 0.46), (-0.22, 0.62), 17, 0.030, densities=(20, 180), least=0.01),
    "spleen": Zone((-0.46, -0.16), (-0.28, 0.22), 17, 0.025, densities=(15, 200)),
    "kidney left": Zone((-0.31, -0.10), (-0.11, 0.17), 22, 0.02, densities=(5, 260), avoid=("spleen",), pieces=0.3),
    "kidney right": Zone((0.10, 0.31), (-0.11, 0.17), 22, 0.02, densities=(5, 260), avoid=("liver",), pieces=0.3),
    "urinary bladder": Zone((-0.20, 0.20), (0.02, 0.60), 16, 0.030, level="pelvis", densities=(-5, 40), least=0.002),
    "heart": Zone((-0.36, 0.16), (0.08, 0.68), 60, 0.040, level="chest", densities=(20, 320), least=0.01),
}


def find_organ(anatomy: Anatomy, name: str) -> BoolArray | None:
    """The organ of :data:`ZONES` on the anatomy's grid (D, H, W), or None when nothing fits. Kept in ``found``."""
    if name not in anatomy.found:
        anatomy.found[name] = _find(anatomy, ZONES[name])
    return anatomy.found[name]


def _find(anatomy: Anatomy, zone: Zone) -> BoolArray | None:
    step = anatomy.step
    hu = np.clip(anatomy.hu[:, ::step, ::step], -200, 400)
    place = _place(anatomy, zone, hu.shape, step)
    even = ndimage.uniform_filter1d(ndimage.uniform_filter1d(hu, 3, axis=1), 3, axis=2)
    taken = [anatomy.bone, anatomy.lungs]
    taken += [organ for other in zone.avoid if (organ := find_organ(anatomy, other)) is not None]
    place &= anatomy.body[:, ::step, ::step]
    for mask in taken:
        place &= ~mask[:, ::step, ::step]
    inside = even[place & (even > zone.densities[0]) & (even < zone.densities[1])]
    if inside.size < 20:
        return None
    pixels = max(1, round(zone.waist * anatomy.frame.size[2] / step / 2))
    cores = [_core(even, place, density, zone, pixels) for density in _commonest(inside, zone.tolerance)]
    core = max(cores, key=lambda mask: int(mask.sum()))
    if not core.any():
        return None
    middle = float(np.median(even[core]))
    # The rim is blurred by its neighbours, so it is taken by place: one pixel more, of anything but fat.
    found = grow(core, pixels) & place & (np.abs(even - middle) < 1.6 * zone.tolerance)
    found = fill(grow(found, 1) & place & (hu > -30) & (hu < zone.densities[1] + 60))
    share = float(found.sum()) / max(1.0, float(anatomy.body[:, ::step, ::step].sum()))
    if not zone.least <= share <= zone.most:
        return None
    return enlarge(found, step, anatomy.hu.shape) & anatomy.body


def tube(anatomy: Anatomy, across: float, ahead: float, radius: float) -> BoolArray | None:
    """Soft tissue within a round tube along the spine; all three numbers in fractions of the body's width."""
    frame = anatomy.frame
    width = frame.size[2]
    _, rows_in, columns_in = anatomy.hu.shape
    # Voxels need not be square in plane: the body's own box gives the proportion, a trunk being 0.7 as deep as wide.
    stretch = 0.7 * width / frame.size[1]
    front = _front_of_spine(anatomy)
    rows = (np.arange(rows_in)[None, :, None] - front[:, None, None]) * stretch - ahead * width
    columns = np.arange(columns_in)[None, None, :] - anatomy.midline - across * width
    found = (rows**2 + columns**2 < (radius * width) ** 2) & anatomy.body & ~anatomy.bone & (anatomy.hu > -10)
    return found if found.any() else None


def _front_of_spine(anatomy: Anatomy) -> npt.NDArray[np.float64]:
    frame = anatomy.frame
    middle = np.rint(frame.spine_column).astype(int)
    half = max(1, round(0.03 * frame.size[2]))
    front = frame.spine_row + 0.12 * frame.size[1]
    for index, column in enumerate(middle):
        rows = np.flatnonzero(anatomy.spine[index, :, max(0, column - half) : column + half + 1].any(axis=1))
        if rows.size:
            front[index] = rows[-1]
    return np.asarray(ndimage.median_filter(front, size=min(5, len(front)), mode="nearest"))


def _place(anatomy: Anatomy, zone: Zone, shape: tuple[int, ...], step: int) -> BoolArray:
    frame = anatomy.frame
    rows = step * np.arange(shape[1])[None, :, None] - frame.spine_row[:, None, None]
    columns = step * np.arange(shape[2])[None, None, :] - frame.spine_column[:, None, None]
    ahead, across = rows / frame.size[1], columns / frame.size[2]
    place = (ahead > zone.ahead[0]) & (ahead < zone.ahead[1]) & (across > zone.across[0]) & (across < zone.across[1])
    return np.asarray(place & _slices(anatomy, zone.level)[:, None, None])


def _slices(anatomy: Anatomy, level: str) -> BoolArray:
    depth = anatomy.hu.shape[0]
    hips = np.flatnonzero(anatomy.hips.any(axis=(1, 2)))
    hip_top = int(hips[-1]) + 1 if hips.size else 0
    air = anatomy.lungs.sum(axis=(1, 2)) / (anatomy.body.sum(axis=(1, 2)) + 1.0)
    if level == "pelvis":
        return np.arange(depth) < hip_top
    if level == "chest":
        return np.asarray(air > 0.12)
    # Slices full of lung hold the heart; the liver's dome reaches up only into the lower ones.
    return np.asarray((np.arange(depth) >= hip_top) & (air < 0.28))


def _core(even: FloatArray, place: BoolArray, density: float, zone: Zone, pixels: int) -> BoolArray:
    """The largest block of one density, with thin sheets and bridges cut away."""
    parts, count = ndimage.label(shrink(place & (np.abs(even - density) < zone.tolerance), pixels))
    if count == 0:
        return np.zeros_like(place)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    kept = sizes >= max(zone.pieces * sizes.max(), 1)
    return np.asarray(kept[parts])


def _commonest(values: FloatArray, apart: float) -> list[float]:
    """Up to three densities, the commonest first, each at least ``apart`` HU from the others.

    More than one, since thin muscle around an organ may outnumber it; only a block survives what follows.
    """
    counts, edges = np.histogram(values, bins=np.arange(-200, 405, 4))
    smooth = ndimage.gaussian_filter1d(counts.astype(np.float64), 1.5)
    chosen: list[float] = []
    while len(chosen) < 3 and smooth.max() > 0.1 * len(values) / 40:
        chosen.append(float(edges[int(np.argmax(smooth))] + 2))
        smooth[np.abs(edges[:-1] + 2 - chosen[-1]) < apart] = 0
    return chosen
