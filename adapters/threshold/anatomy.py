"""What is worked out once per volume: body, air, lungs, bone, and the landmarks that the organ rules lean on.

Inside, the axes always run as in ``"SAR"``: D to superior, H to anterior, W to the patient's right.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from m3dbench.adapters.threshold.levels import Levels, find_levels
from m3dbench.adapters.threshold.orientation import guess_axes
from m3dbench.adapters.threshold.shapes import body_mask, enlarge, fill, grow, shrink

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

_INNER = "SAR"
# Organ work needs no finer pixels than a hundredth of the body.
_WORK_SIZE = 128


@dataclass(frozen=True)
class Frame:
    """The body's box in voxels, half-open, and the row and column of the spine's centre in each slice (D,)."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    spine_row: npt.NDArray[np.float64]
    spine_column: npt.NDArray[np.float64]

    @property
    def size(self) -> tuple[int, int, int]:
        depth, height, width = (stop - start for start, stop in zip(self.start, self.stop, strict=True))
        return depth, height, width


@dataclass(frozen=True)
class Anatomy:
    """Intermediate results on one volume, each worked out on first use. All masks (D, H, W), axes as in ``"SAR"``."""

    hu: FloatArray
    levels: Levels
    axes: str
    found: dict[str, BoolArray | None] = field(default_factory=dict)

    def restore(self, mask: BoolArray) -> BoolArray:
        """A mask in the axes of the volume that was given."""
        return np.ascontiguousarray(mask[_flips(self.axes)])

    @property
    def step(self) -> int:
        """Every how many-th row and column organ work looks at."""
        return int(max(1, min(self.hu.shape[1:]) // _WORK_SIZE))

    @cached_property
    def body(self) -> BoolArray:
        """The trunk with all that it encloses."""
        return enlarge(self._body(), self.step, self.hu.shape)

    def _body(self) -> BoolArray:
        return body_mask(self.hu[:, :: self.step, :: self.step], self.levels.air_below)

    @cached_property
    def lungs(self) -> BoolArray:
        """Air-filled lung, both sides. Gas in the bowel is told apart by being blacker, or smaller and lower."""
        # Folds of the skin lie at the rim of the body, lung never does.
        air = shrink(self.body, max(2, round(0.016 * self.hu.shape[2]))) & (self.hu < self.levels.air_below)
        parts, count = ndimage.label(air)
        if count == 0:
            return air
        index = np.arange(1, count + 1)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
        body = float(self.body.sum())
        boxes = ndimage.find_objects(parts)
        lung = [part for part in index[sizes > 0.0004 * body] if self._is_lung(parts, part, boxes[part - 1], body)]
        top = max((boxes[part - 1][0].stop for part in lung), default=0)
        kept = [part for part in lung if boxes[part - 1][0].stop >= top - max(1, self.hu.shape[0] // 5)]
        core = np.isin(parts, kept)
        # Partial volume at the pleura and the smaller vessels belong to the lung.
        near = grow(core, max(1, round(0.005 * self.hu.shape[2])))
        return fill((near & self.body & (self.hu < max(-400.0, self.levels.air_below))) | core)

    def _is_lung(self, parts: npt.NDArray[Any], part: int, box: tuple[slice, ...], body: float) -> bool:
        inside = parts[box] == part
        if inside.sum() > 0.05 * body:
            return True
        if self.levels.floor < -925:
            # Measured: the darkest tenth of bowel gas lies near -980 HU, that of lung near -840 HU.
            return float(np.percentile(self.hu[box][inside], 10)) > -925
        # Clipped air has one value; but gas rises to the front while the lung bases lie at the back.
        rows = np.flatnonzero(self.body.any(axis=(0, 2)))
        return bool(box[1].start + np.argwhere(inside)[:, 1].mean() < rows[0] + 0.5 * (rows[-1] - rows[0]))

    @cached_property
    def bone(self) -> BoolArray:
        """Bright and hard parts with their marrow; contrast in vessels, kidneys and bowel is left out by place."""
        bright = self.body & (self.hu > 125)
        core = self.body & (self.hu > 190)
        parts, count = ndimage.label(bright)
        if count == 0:
            return bright
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        hard = np.bincount(parts[core], minlength=count + 1)
        keep = (hard >= 0.12 * sizes) & (sizes >= max(4, 1e-5 * self.hu.size))
        keep[0] = False
        keep &= ~self._soft_place(parts, count)
        width = max(1, round(0.012 * self.hu.shape[2]))
        closed = shrink(grow(keep[parts], width), width)
        return np.asarray(fill(closed) & self.body & (self.hu > 30))

    def _soft_place(self, parts: npt.NDArray[Any], count: int) -> BoolArray:
        """Parts deep under the skin that are no bone: in front of the spine, or nowhere as hard as cortex (kidneys)."""
        step = self.step
        small = self.body[:, ::step, ::step]
        depth = np.stack([ndimage.distance_transform_edt(np.pad(plane, 1))[1:-1, 1:-1] for plane in small])
        inner = depth > 0.11 * small.shape[2]
        rows = np.flatnonzero(small.any(axis=(0, 2)))
        front = np.zeros_like(small)
        front[:, int(rows[0] + 0.38 * (rows[-1] - rows[0])) :] = True
        thin = parts[:, ::step, ::step]
        all_of = np.bincount(thin.ravel(), minlength=count + 1)
        ahead, deep, hard = (
            np.bincount(thin[mask], minlength=count + 1) / np.maximum(all_of, 1)
            for mask in (inner & front, inner, self.hu[:, ::step, ::step] > 300)
        )
        return np.asarray((ahead > 0.7) | ((deep > 0.7) & (hard < 0.03)))

    @cached_property
    def frame(self) -> Frame:
        """The body's box and the spine's course; without visible bone the spine is put where it usually lies."""
        edges = []
        for axis in range(3):
            used = np.flatnonzero(self.body.any(axis=tuple(other for other in range(3) if other != axis)))
            edges.append((int(used[0]), int(used[-1]) + 1) if used.size else (0, self.hu.shape[axis]))
        start, stop = (edges[0][0], edges[1][0], edges[2][0]), (edges[0][1], edges[1][1], edges[2][1])
        height, width = stop[1] - start[1], stop[2] - start[2]
        middle = (start[2] + stop[2]) / 2
        low, high = int(middle - 0.13 * width), int(middle + 0.13 * width) + 1
        column = self.bone[:, start[1] : start[1] + int(0.62 * height), low:high]
        count = column.sum(axis=(1, 2)).astype(np.float64)
        seen = count > 0.0008 * height * width
        if not seen.any():
            rows = np.full(len(count), start[1] + 0.3 * height)
            return Frame(start, stop, rows, np.full(len(count), middle))
        place = [column.sum(axis=2) @ np.arange(column.shape[1]), column.sum(axis=1) @ np.arange(column.shape[2])]
        rows, columns = (_smooth(total, count, seen) for total in place)
        return Frame(start, stop, rows + start[1], columns + low)

    @cached_property
    def spine(self) -> BoolArray:
        """Vertebrae and sacrum: the bone around the spine's course."""
        frame = self.frame
        _, height, width = self.hu.shape
        rows, columns = np.arange(height)[None, :, None], np.arange(width)[None, None, :]
        centre_row, centre_column = frame.spine_row[:, None, None], frame.spine_column[:, None, None]
        side = np.abs(columns - centre_column) < 0.115 * frame.size[2]
        return np.asarray(self.bone & side & (np.abs(rows - centre_row) < 0.27 * frame.size[1]))

    @cached_property
    def hips(self) -> BoolArray:
        """The pelvic bones, both sides, with what of the femora touches them; empty when they are not in view."""
        rest = self.bone & ~self.spine
        area = rest.sum(axis=(1, 2)) / (self.body.sum(axis=(1, 2)) + 1.0)
        dense = np.flatnonzero(area > 0.022)
        hips = np.zeros_like(rest)
        if dense.size == 0 or dense[0] > 0.25 * len(area):
            return hips
        gap = np.flatnonzero(np.diff(dense) > max(1, len(area) // 16))
        top = int(dense[gap[0]] if gap.size else dense[-1]) + 1
        if top >= len(area) and self.lungs.any():
            return hips
        hips[:top] = rest[:top]
        return hips

    @cached_property
    def midline(self) -> npt.NDArray[np.float64]:
        """Column of the body's middle plane in each slice, (D, 1, 1)."""
        return self.frame.spine_column[:, None, None]

    def side(self, mask: BoolArray, side: str) -> BoolArray:
        """The part of a mask on the patient's ``"left"`` or ``"right"``."""
        columns = np.arange(self.hu.shape[2])[None, None, :]
        return np.asarray(mask & ((columns < self.midline) if side == "left" else (columns >= self.midline)))


def study(
    volume: FloatArray, *, hu_window: tuple[float, float] | None = None, axes: str | None = None
) -> Anatomy | None:
    """Prepare a CT volume (D, H, W), float, any linear scale. None when it holds no contrast to work on.

    hu_window: (lo, hi) in HU when value = (HU - lo) / (hi - lo) is known. axes: where D, H and W grow, for example
    ``"SAR"``; guessed from the anatomy when None.
    """
    levels = find_levels(volume, hu_window)
    if levels is None:
        return None
    hu = levels.hu(volume)
    where = axes or guess_axes(hu, levels.air_below)
    return Anatomy(np.ascontiguousarray(hu[_flips(where)]), levels, where)


def _flips(axes: str) -> tuple[slice, ...]:
    return tuple(slice(None, None, 1 if letter == inner else -1) for letter, inner in zip(axes, _INNER, strict=True))


def _smooth(
    total: npt.NDArray[np.float64], count: npt.NDArray[np.float64], seen: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Mean place per slice, bridged where the spine is not seen, and freed of outliers."""
    slices = np.arange(len(count))
    mean = np.interp(slices, slices[seen], total[seen] / count[seen])
    return np.asarray(ndimage.median_filter(mean, size=min(5, len(mean)), mode="nearest"))
