"""Which way the axes of a (D, H, W) body CT run, as far as the anatomy itself tells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from m3dbench.adapters.threshold.shapes import body_mask, largest, shrink

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


def guess_axes(hu: FloatArray, air_below: float = -450.0) -> str:
    """Directions of growing D, H and W, for example ``"SAR"`` or ``"IPL"``.

    Posterior is where the bone near the midline lies (the spine); superior is where the air in the body is lung-like
    and large rather than where the pelvis is; right is where the largest block of soft tissue (the liver) lies. What
    cannot be seen falls back on a right-handed body: D grows to inferior, H to posterior, W to the patient's left.
    """
    small = hu[:, :: max(1, hu.shape[1] // 64), :: max(1, hu.shape[2] // 64)]
    body = body_mask(small, air_below)
    if not body.any():
        return "IPL"
    places = np.argwhere(body)
    middle = places.mean(axis=0)
    width = float(np.ptp(places[:, 2])) + 1
    bone = body & (small > 200)
    central = np.argwhere(bone[:, :, int(middle[2] - 0.12 * width) : int(middle[2] + 0.12 * width) + 1])
    height = "P" if central.size == 0 or float(np.median(central[:, 1])) >= middle[1] else "A"
    depth = _depth(body & (small < air_below), body, bone)
    return depth + height + _side(small, body, float(middle[2]))


def _depth(gas: BoolArray, body: BoolArray, bone: BoolArray) -> str:
    air = gas.sum(axis=(1, 2)).astype(np.float64)
    hard = bone.sum(axis=(1, 2)).astype(np.float64)
    area = body.sum(axis=(1, 2)) + 1.0
    ramp = np.linspace(-1, 1, len(area)) if len(area) > 1 else np.zeros(1)
    lean = float(((air - 2 * hard) / area * ramp).sum())
    return "S" if lean > 0 else "I"


def _side(hu: FloatArray, body: BoolArray, middle: float) -> str:
    block = shrink(body & (hu > 0) & (hu < 200), 2)
    if not block.any():
        return "L"
    centre = float(np.argwhere(largest(block))[:, 2].mean())
    return "R" if centre > middle else "L"
