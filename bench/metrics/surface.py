"""Surface metrics of hard masks (MaskPair) in mm: HD95 and NSD, as MONAI defines them, without MONAI.

Both apply where the reference has a voxel, and need the spacing: unknown, they are unscored. Outside the volume nothing
is inside a mask, so a mask that touches the volume's border has its surface there.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from m3dbench.metrics.core import FloatArray, Metric, Outcome, Statistics, each
from m3dbench.metrics.masks import ABSENT, misshapen
from m3dbench.metrics.pairs import MaskArray, MaskPair
from m3dbench.metrics.surface_area import EMPTY, FULL, Spacing, areas_by_code, neighbour_codes

UNKNOWN_SPACING = "the spacing of the volume is unknown"
NOTHING_PREDICTED = "nothing predicted: the volume's diagonal counts"
_SPACING = "spacing of the sample's grid from geometry.json or the NIfTI header"
# A point query costs about this many times what the dense transform costs a voxel.
_QUERY_COST = 4


def hd95() -> Metric:
    """95th percentile of the surface distance in mm, the greater of both directions; lower is better.

    A present reference with nothing predicted counts as the diagonal of the volume, noted in ``reason``; so do failed
    answers. There is no worst value for all samples: it is each volume's diagonal.
    """

    def worst(pair: MaskPair) -> Statistics | None:
        return None if pair.spacing is None else (_diagonal(pair.reference.shape, pair.spacing), 1.0)

    def outcome(pair: MaskPair) -> Outcome:
        if refused := _refusal(pair, worst(pair)):
            return refused
        assert pair.spacing is not None  # noqa: S101 - narrows the type for the checker
        if pair.prediction is None or not pair.prediction.any():
            return Outcome("scored", worst(pair), NOTHING_PREDICTED)
        return Outcome.scored(hausdorff_95(pair.prediction, pair.reference, pair.spacing), 1.0)

    return Metric(
        name="hd95",
        pair=MaskPair,
        outcomes=each(outcome),
        worst_statistics=worst,
        signature=f"HD95 mm, edge voxels, max of both percentiles, empty: diagonal, {_SPACING}, v1",
        direction="lower",
        worst=None,
        best=0.0,
        unit="mm",
    )


def nsd(*, tolerance_mm: float = 2.0) -> Metric:
    """Normalised surface Dice: the share of both surfaces that lies within ``tolerance_mm`` of the other one.

    Surfaces are at subvoxel resolution, weighted by area. Nothing predicted is 0.
    """
    if not (math.isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise ValueError(f"tolerance_mm must be a finite number of at least 0, not {tolerance_mm}")

    def worst(pair: MaskPair) -> Statistics | None:
        return None if pair.spacing is None else (0.0, 1.0)

    def outcome(pair: MaskPair) -> Outcome:
        if refused := _refusal(pair, worst(pair)):
            return refused
        assert pair.spacing is not None  # noqa: S101 - narrows the type for the checker
        if pair.prediction is None or not pair.prediction.any():
            return Outcome.scored(0.0, 1.0)
        return Outcome.scored(surface_dice(pair.prediction, pair.reference, pair.spacing, tolerance_mm), 1.0)

    signature = f"NSD, tolerance {tolerance_mm:g} mm, subvoxels, empty: 0, {_SPACING}, v1"
    return Metric("nsd", MaskPair, each(outcome), worst, signature)


def hausdorff_95(prediction: MaskArray, reference: MaskArray, spacing: Spacing) -> float:
    """HD95 in mm of two masks (D, H, W) of equal shape, each with a voxel; ``spacing`` in mm (D, H, W).

    Distances run between the centres of edge voxels: those with one of six neighbours outside the mask. Percentiles
    interpolate linearly. Equals ``monai.metrics.compute_hausdorff_distance(percentile=95)``.
    """
    edges = [_edge_voxels(mask) for mask in crop(prediction, reference)]
    there, back = _distances(edges[0], edges[1], spacing), _distances(edges[1], edges[0], spacing)
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


def surface_dice(prediction: MaskArray, reference: MaskArray, spacing: Spacing, tolerance_mm: float) -> float:
    """NSD of two masks (D, H, W) of equal shape, each with a voxel; ``spacing`` in mm (D, H, W).

    A piece of surface is a neighbourhood of 2 x 2 x 2 voxels that is neither empty nor full, with its marching-cubes
    area; distances run between the centres of such neighbourhoods. Equals
    ``monai.metrics.compute_surface_dice(use_subvoxels=True)``.
    """
    codes = [neighbour_codes(mask) for mask in crop(prediction, reference)]
    pieces = [(code != EMPTY) & (code != FULL) for code in codes]
    table = _areas(spacing)
    within = total = 0.0
    for own, other in ((0, 1), (1, 0)):
        areas = table[codes[own][pieces[own]]]
        # Single precision, so that a distance of exactly the tolerance, as 5 voxels of 0.4 mm, is within it.
        near = _distances(pieces[own], pieces[other], spacing).astype(np.float32) <= np.float32(tolerance_mm)
        within += float(areas[near].sum())
        total += float(areas.sum())
    return within / total


def crop(prediction: MaskArray, reference: MaskArray) -> tuple[MaskArray, MaskArray]:
    """Both masks in the box of their union with one empty voxel around it, which is all that surfaces depend on."""
    union = np.logical_or(prediction, reference)
    box = []
    for axis in range(3):
        hit = np.flatnonzero(union.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    kept = tuple(box)
    return np.pad(prediction[kept], 1), np.pad(reference[kept], 1)


def _refusal(pair: MaskPair, worst: Statistics | None) -> Outcome | None:
    """The outcome of a pair that cannot be judged."""
    if not pair.reference.any():
        return Outcome.not_applicable(ABSENT)
    if worst is None:
        return Outcome.unscored(UNKNOWN_SPACING)
    if reason := misshapen(pair):
        return Outcome.failed(worst, reason)
    return None


def _diagonal(shape: tuple[int, ...], spacing: Spacing) -> float:
    """Of the whole volume, in mm."""
    return math.hypot(*(size * length for size, length in zip(shape, spacing, strict=True)))


def _edge_voxels(mask: MaskArray) -> MaskArray:
    """The voxels of a mask with an empty border that have one of six neighbours outside it."""
    inner = mask[1:-1, 1:-1, 1:-1].copy()
    for axis in range(3):
        for step in (0, 2):
            inner &= mask[tuple(slice(step, step - 2 or None) if a == axis else slice(1, -1) for a in range(3))]
    edges = mask.copy()
    edges[1:-1, 1:-1, 1:-1] &= ~inner
    return edges


def _distances(start: MaskArray, goal: MaskArray, spacing: Spacing) -> FloatArray:
    """mm from every voxel of ``start``, in C order, to the nearest voxel of ``goal``."""
    from scipy import ndimage, spatial

    apart = start & ~goal
    points = np.argwhere(apart)
    found = np.zeros(start.shape, dtype=np.float64)
    if len(points) * _QUERY_COST > start.size:
        found = np.asarray(ndimage.distance_transform_edt(~goal, sampling=spacing))
    elif len(points):
        tree = spatial.KDTree(np.argwhere(goal) * spacing, leafsize=32, balanced_tree=False)
        found[apart] = tree.query(points * spacing)[0]
    distances: FloatArray = found[start]
    return distances


@lru_cache(maxsize=64)
def _areas(spacing: Spacing) -> npt.NDArray[np.float64]:
    return areas_by_code(spacing)
