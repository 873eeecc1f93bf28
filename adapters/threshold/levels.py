"""Hounsfield units from a volume of unknown scale, by the peaks of its own histogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, signal

AIR_HU, FAT_HU, SOFT_HU = -1000.0, -105.0, 45.0
_BINS = 512

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Levels:
    """HU = ``scale`` * value + ``offset``. ``floor`` is the HU of the lowest value: where it lies above about -950, air
    and lung were clipped to one value and cannot be told apart. ``known``: from a given window, not estimated.
    """

    scale: float
    offset: float
    floor: float
    known: bool

    @property
    def air_below(self) -> float:
        """HU under which a voxel is air or lung: -450, or a little above the floor where air was clipped to it."""
        return max(-450.0, self.floor + 0.25 * (FAT_HU - self.floor)) if self.floor < FAT_HU else self.floor

    def hu(self, volume: FloatArray) -> FloatArray:
        """Values in HU, float32, same shape."""
        return (volume * np.float32(self.scale) + np.float32(self.offset)).astype(np.float32, copy=False)


def find_levels(volume: FloatArray, hu_window: tuple[float, float] | None = None) -> Levels | None:
    """Levels of a CT volume (D, H, W), any linear scale; None when it has no contrast that could be CT.

    hu_window: (lo, hi) when value = (HU - lo) / (hi - lo) is known. Otherwise the soft-tissue peak stands for 45 HU and
    either the air peak for -1000 HU or, where air is missing or clipped, the fat peak for -105 HU.
    """
    low, high = float(volume.min()), float(volume.max())
    if not np.isfinite(low + high) or high <= low:
        return None
    if hu_window is not None:
        scale = hu_window[1] - hu_window[0]
        return Levels(scale, hu_window[0], hu_window[0] + scale * low, known=True)
    # Voxels at either end may be clipped ones: a spike there is no tissue.
    counts, _ = np.histogram(volume[(volume > low) & (volume < high)], bins=_BINS, range=(low, high))
    lower, lower_hu, soft = _anchors(counts, low, (high - low) / _BINS)
    if soft <= lower:
        return None
    scale = (SOFT_HU - lower_hu) / (soft - lower)
    offset = SOFT_HU - scale * soft
    return Levels(scale, offset, scale * low + offset, known=False)


def _anchors(counts: npt.NDArray[np.int64], low: float, step: float) -> tuple[float, float, float]:
    """(value of a lower anchor, its HU, value of soft tissue) from the most prominent peaks.

    The anchor is air, the longer and so the better lever, or fat where air was clipped away. The distances tell the
    peaks apart: soft tissue lies seven times as far from air as from fat.
    """
    peaks = [low + (peak + 0.5) * step for peak in _peaks(counts)]
    if len(peaks) >= 3:
        first, second, third = sorted(peaks[:3])
        if _is_seven((third - first) / (third - second)):
            return first, AIR_HU, third
    if len(peaks) >= 2:
        first, second = sorted(peaks[:2])
        if _is_seven((second - low) / (second - first)):
            return low, AIR_HU, second
        return (first, FAT_HU, second) if first - low > 0.15 * (second - first) else (first, AIR_HU, second)
    return low, AIR_HU, peaks[0] if peaks else low


def _is_seven(ratio: float) -> bool:
    return 4.7 < ratio < 10.5


def _peaks(counts: npt.NDArray[np.int64]) -> list[int]:
    """Bins of the peaks, the most prominent first."""
    total = np.cumsum(counts)
    # Bins mean more or fewer HU in a wider or narrower window: smooth by the spread of the upper half, the tissues.
    lower, upper = np.searchsorted(total / max(total[-1], 1), (0.5, 0.9))
    smooth = ndimage.gaussian_filter1d(counts.astype(np.float64), float(np.clip(0.08 * (upper - lower), 1.2, 8.0)))
    peaks, facts = signal.find_peaks(np.pad(smooth, 1), prominence=0.02 * smooth.max())
    return [int(peaks[index]) - 1 for index in np.argsort(-facts["prominences"])]
