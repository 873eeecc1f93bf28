"""Start-up self-checks of models with weights: what would compute wrongly in silence fails before the first sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from m3dbench.errors import UserError

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor


@dataclass(frozen=True)
class SelfCheck:
    """One check and how it ended; detail is a line for the record."""

    name: str
    passed: bool
    detail: str


def insist(checks: Iterable[SelfCheck]) -> list[dict[str, Any]]:
    """The checks as an adapter records them (``recorded()["self_checks"]``). Raises UserError at the first failure."""
    done = []
    for check in checks:
        if not check.passed:
            raise UserError(
                f"self-check {check.name!r} failed: {check.detail}",
                fix="the weights, the installed libraries or the data are not what this model needs",
            )
        done.append(asdict(check))
    return done


def libraries(needed: Mapping[str, str]) -> SelfCheck:
    """Installed versions against the lowest that the model was tried with, e.g. ``{"transformers": "4.45"}``."""
    found, low = {}, []
    for name, lowest in needed.items():
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
        if _release(found[name]) < _release(lowest):
            low.append(f"{name} {found[name]} is below {lowest}")
    return SelfCheck("libraries", not low, "; ".join(low) or ", ".join(f"{name} {v}" for name, v in found.items()))


def _release(text: str) -> tuple[int, ...]:
    numbers = []
    for part in text.split("+")[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def images(batch: Tensor, shape: Sequence[int]) -> SelfCheck:
    """A batch of volumes (B, C, D, H, W): this shape after B, floating, finite, within 0..1."""
    wrong = []
    if tuple(batch.shape[1:]) != tuple(shape):
        wrong.append(f"shape {tuple(batch.shape)}, expected (B, {', '.join(map(str, shape))})")
    if not batch.is_floating_point():
        wrong.append(f"dtype {batch.dtype}, expected floating")
    low, high = float(batch.min()), float(batch.max())
    if not (low >= 0 and high <= 1):  # NaN fails too
        wrong.append(f"values {low:g}..{high:g}, expected 0..1 without NaN")
    return SelfCheck("input", not wrong, "; ".join(wrong) or f"{tuple(batch.shape)} {batch.dtype}, {low:g}..{high:g}")


def sees(encode: Callable[[Tensor], Tensor], shape: Sequence[int], like: Tensor) -> SelfCheck:
    """A constant volume and one with a body in it encode differently, and to finite numbers.

    shape: (C, D, H, W). like: any parameter, for device and dtype.
    """
    import torch

    body = torch.from_numpy(body_volume(shape))[None].to(like)
    with torch.inference_mode():
        empty, full = encode(torch.full_like(body, 0.5)).float(), encode(body).float()
    gap = float((empty - full).abs().max())
    return SelfCheck("image is seen", gap > 0 and bool(np.isfinite(gap)), f"largest difference {gap:.3g}")


def repeats(generate: Callable[[], object]) -> SelfCheck:
    """The same greedy decoding twice gives the same."""
    first, second = generate(), generate()
    return SelfCheck("decoding repeats", first == second, "twice the same" if first == second else "two answers differ")


def unit(vectors: Tensor, tolerance: float = 1e-3) -> SelfCheck:
    """Retrieval vectors (N, width) of length 1."""
    if vectors.ndim != 2:
        return SelfCheck("unit vectors", False, f"shape {tuple(vectors.shape)}, expected (N, width)")
    off = float((vectors.float().norm(dim=-1) - 1).abs().max())
    return SelfCheck("unit vectors", off <= tolerance, f"length off 1 by {off:.2g} at most")


def body_volume(shape: Sequence[int]) -> npt.NDArray[np.float32]:
    """A volume (C, D, H, W), 0..1: an ellipsoid with a brighter lump off its centre, different along each axis."""
    depth, height, width = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape[1:]), indexing="ij")
    body = (depth / 0.9) ** 2 + (height / 0.7) ** 2 + (width / 0.8) ** 2 < 1
    lump = (depth - 0.2) ** 2 + (height + 0.3) ** 2 + (width - 0.25) ** 2 < 0.05
    return np.broadcast_to((0.5 * body + 0.4 * (body & lump)).astype(np.float32), shape).copy()
