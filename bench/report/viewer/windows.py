"""Window presets: which stored values become black and white."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.slices import Window

HU = {
    "soft tissue": (-160.0, 240.0),
    "liver": (-20.0, 130.0),
    "lung": (-1350.0, 150.0),
    "bone": (-450.0, 1050.0),
    "mediastinum": (-125.0, 225.0),
}
"""Customary windows of CT in HU, lower and upper bound."""
_LEAST_SHARE = 0.5


def windows_of(
    values: npt.NDArray[Any], bounds: tuple[float, float], hu_window: tuple[float, float] | None
) -> list[dict[str, Any]]:
    """Names with low and high in stored values (and in HU where known), the automatic one first.

    hu_window: HU of the stored values 0 and 1. Where it is unknown, as M3D-Data leaves it, presets follow the volume:
    its darker and its brighter half. Presets of which less than half lies in the stored range are left out.
    """
    low, high = bounds
    auto = Window().bounds(values)
    made: dict[str, tuple[float, float]] = {"auto": auto, "full": (low, high)}
    if hu_window is None:
        middle = float(np.median(values[values >= auto[0]]))
        made["dark half"] = (low, middle)
        made["bright half"] = (middle, high)
    else:
        floor, scale = hu_window[0], hu_window[1] - hu_window[0]
        for name, (first, last) in HU.items():
            start, stop = (first - floor) / scale, (last - floor) / scale
            kept = min(stop, 1.0) - max(start, 0.0)
            if kept >= _LEAST_SHARE * (stop - start):
                made[name] = (start, stop)
    found = []
    for name, (first, last) in made.items():
        if first < last:
            row: dict[str, Any] = {"name": name, "low": round(first, 6), "high": round(last, 6)}
            if hu_window is not None:
                row["hu"] = [round(hu_window[0] + value * (hu_window[1] - hu_window[0])) for value in (first, last)]
            found.append(row)
    return found
