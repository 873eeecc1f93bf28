"""Volumes of hard masks (MaskPair): the error of the predicted volume, and the bins that samples fall in by size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from m3dbench.metrics.core import Metric, Outcome, Statistics, each
from m3dbench.metrics.masks import ABSENT, misshapen
from m3dbench.metrics.pairs import MaskPair
from m3dbench.metrics.surface import UNKNOWN_SPACING

SIZES = ("tiny", "small", "medium", "large")
ML_LIMITS = (0.5, 5.0, 50.0)
"""Millilitres: spheres of about 10, 21 and 46 mm across."""
VOXEL_LIMITS = (100, 1000, 10000)


def volume_error() -> Metric:
    """Mean |Vp - Vr| / Vr over present references, voxel volumes; lower is better, nothing predicted is 1.

    The worst answer is the pair's own: nothing, or the whole grid where that is further off.
    """
    return _error(
        "volume_error", "|Vp - Vr| / Vr, v1", lambda pair: 1.0 / max(1, int(np.count_nonzero(pair.reference)))
    )


def volume_error_ml() -> Metric:
    """Mean |Vp - Vr| in ml over present references; unscored where the spacing is unknown. Lower is better."""
    return _error("volume_error_ml", "|Vp - Vr| in ml, v1", lambda pair: voxel_ml(pair), "ml")


def voxel_ml(pair: MaskPair) -> float | None:
    """The volume of a voxel in ml, None where the spacing is unknown."""
    return None if pair.spacing is None else float(np.prod(pair.spacing)) / 1000.0


def mask_strata(pair: MaskPair) -> Mapping[str, str]:
    """The strata that only the reference mask tells: ``presence``, and ``size`` of a present one.

    Sizes are in ml where the spacing is known (limits 0.5, 5, 50), else in voxels (100, 1000, 10000); a limit belongs
    to the bin above it. The bins' names hold their limits, so that the two are never mixed.
    """
    voxels = int(np.count_nonzero(pair.reference))
    if voxels == 0:
        return {"presence": "absent"}
    voxel = voxel_ml(pair)
    if voxel is None:
        return {"presence": "present", "size": _bin(voxels, VOXEL_LIMITS, "voxels")}
    return {"presence": "present", "size": _bin(voxels * voxel, ML_LIMITS, "ml")}


def _bin(size: float, limits: tuple[float, ...], unit: str) -> str:
    place = sum(size >= limit for limit in limits)
    if place == 0:
        span = f"< {limits[0]:g}"
    elif place == len(limits):
        span = f">= {limits[-1]:g}"
    else:
        span = f"{limits[place - 1]:g} to {limits[place]:g}"
    return f"{SIZES[place]} ({span} {unit})"


def _error(name: str, signature: str, scale: Callable[[MaskPair], float | None], unit: str = "fraction") -> Metric:
    """Mean of |Vp - Vr| in voxels times a scale, which is unknown where the metric cannot be scored."""

    def worst(pair: MaskPair) -> Statistics | None:
        reference, factor = int(np.count_nonzero(pair.reference)), scale(pair)
        return None if factor is None else (max(reference, pair.reference.size - reference) * factor, 1.0)

    def outcome(pair: MaskPair) -> Outcome:
        reference = int(np.count_nonzero(pair.reference))
        if reference == 0:
            return Outcome.not_applicable(ABSENT)
        furthest, factor = worst(pair), scale(pair)
        if factor is None or furthest is None:
            return Outcome.unscored(UNKNOWN_SPACING)
        if reason := misshapen(pair):
            return Outcome.failed(furthest, reason)
        predicted = 0 if pair.prediction is None else int(np.count_nonzero(pair.prediction))
        return Outcome.scored(abs(predicted - reference) * factor, 1.0)

    return Metric(
        name=name,
        pair=MaskPair,
        outcomes=each(outcome),
        worst_statistics=worst,
        signature=signature,
        direction="lower",
        worst=None,
        best=0.0,
        unit=unit,
    )
