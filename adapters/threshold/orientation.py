"""Which way the axes of a (D, H, W) body CT run, as far as the anatomy itself tells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from m3dbench.adapters.threshold.shapes import body_mask, largest, shrink

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


def guess_axes(hu: FloatArray, air_below: float = -450.0) -> str:
    """Directions of growing D, H and W, for example ``"SAR"`` or ``"IPL"``.

    Posterior is where the bone near the midline lies (the spine); superior is where air rather than bone fills the
    body; right is where the largest block of soft tissue of the abdomen lies (the liver), or in a chest alone, where it
    does not (the heart). What cannot be seen is taken as in the common file formats: D grows to inferior, H to
    posterior, and W to the left where H grows to posterior, else to the right.
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
    gas = (body & (small < air_below)).sum(axis=(1, 2)) / (body.sum(axis=(1, 2)) + 1.0)
    hard = bone.sum(axis=(1, 2)) / (body.sum(axis=(1, 2)) + 1.0)
    ramp = np.linspace(-1, 1, len(gas)) if len(gas) > 1 else np.zeros(1)
    depth = "S" if float(((gas - 2 * hard) * ramp).sum()) > 0 else "I"
    soft = shrink(body & (small > 0) & (small < 200), 2)
    lean = _lean(soft, gas < 0.12, float(middle[2])) / width
    if abs(lean) < 0.02:
        return depth + height + ("L" if height == "P" else "R")
    return depth + height + ("R" if lean > 0 else "L")


def _lean(soft: BoolArray, abdomen: npt.NDArray[np.bool_], middle: float) -> float:
    """How far to growing W the patient's right lies, in pixels, by the largest block of soft tissue; 0 when unseen."""
    below = soft & abdomen[:, None, None]
    liver = bool(below.any())
    block = largest(below if liver else soft)
    if not block.any():
        return 0.0
    centre = float(np.argwhere(block)[:, 2].mean()) - middle
    return centre if liver else -centre
