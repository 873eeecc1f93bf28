"""Small mask operations on (D, H, W) arrays slice by slice, since slices may be ten times thicker than pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

IN_PLANE = np.zeros((3, 3, 3), dtype=np.bool_)
IN_PLANE[1] = ndimage.generate_binary_structure(2, 1)


def shrink(mask: BoolArray, pixels: int, *, edge: bool = True) -> BoolArray:
    """Erosion within slices by a square of half-width ``pixels``; ``edge`` is what lies outside the volume."""
    return _extreme(mask, pixels, ndimage.minimum_filter1d, int(edge))


def grow(mask: BoolArray, pixels: int) -> BoolArray:
    """Dilation within slices by a square of half-width ``pixels``."""
    return _extreme(mask, pixels, ndimage.maximum_filter1d, 0)


def _extreme(mask: BoolArray, pixels: int, rule: object, border: int) -> BoolArray:
    if pixels < 1:
        return mask
    assert callable(rule)  # noqa: S101 - narrows the type for the checker
    result = mask.view(np.uint8)
    for axis in (1, 2):
        result = rule(result, 2 * pixels + 1, axis=axis, mode="constant", cval=border)
    return np.asarray(result, dtype=np.bool_)


def largest(mask: BoolArray) -> BoolArray:
    """The largest connected part (all False stays all False)."""
    parts, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == int(sizes.argmax()))


def fill(mask: BoolArray) -> BoolArray:
    """Holes within slices filled: what the border of the slice cannot reach."""
    outside, count = ndimage.label(~mask, structure=IN_PLANE)
    open_parts = np.zeros(count + 1, dtype=np.bool_)
    for edge in (outside[:, 0], outside[:, -1], outside[:, :, 0], outside[:, :, -1]):
        open_parts[np.unique(edge)] = True
    open_parts[0] = False
    return ~open_parts[outside]


def body_mask(hu: FloatArray, air_below: float = -450.0) -> BoolArray:
    """The trunk with all that it encloses, without table and clothes: the largest block of tissue, holes filled."""
    tissue = hu > max(air_below, -350.0)
    # Enough to cut the table and thin clothes off, little against the trunk.
    pixels = max(1, round(0.012 * min(hu.shape[1:])))
    core = largest(shrink(tissue, pixels))
    # Closing bridges thin chest wall that the erosion broke; an open ring would lose the lung inside it.
    trunk = grow(core, pixels + 1) & tissue
    return fill(trunk | shrink(grow(trunk, 2 * pixels), 2 * pixels, edge=False))


def enlarge(mask: BoolArray, step: int, shape: tuple[int, ...]) -> BoolArray:
    """A mask made on every ``step``-th row and column back on the full grid."""
    if step == 1:
        return mask
    return mask.repeat(step, axis=1).repeat(step, axis=2)[:, : shape[1], : shape[2]]
