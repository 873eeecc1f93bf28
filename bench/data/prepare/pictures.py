"""A series as a folder of numbered pictures, one a slice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.errors import DataError, missing_extra

REFERENCE = (".jpeg", ".png")
"""The endings that the reference reads, in exactly this case."""
OURS = (".jpeg", ".jpg", ".png")


@dataclass(frozen=True)
class Stack:
    """pixels: (D, H, W), uint8 (uint16 of 16-bit pictures under the corrected recipe), D in the order of the numbers.
    unreadable, odd: names of the pictures left out: damaged ones, and those of another shape than most."""

    pixels: npt.NDArray[Any]
    unreadable: tuple[str, ...]
    odd: tuple[str, ...]

    @property
    def notes(self) -> list[str]:
        told = []
        if self.unreadable:
            told.append(f"left out, not readable: {_some(self.unreadable)}")
        if self.odd:
            told.append(f"left out, of another shape than most: {_some(self.odd)}")
        return told


def picture_names(folder: Path, upstream: bool) -> list[str]:
    """The pictures of a series in the order of their numbers. Raises DataError for a name that is no number."""
    files = sorted(path.name for path in folder.iterdir() if path.is_file())
    if upstream:
        names = [name for name in files if name.endswith(REFERENCE)]
    else:
        names = [name for name in files if name.lower().endswith(OURS) and not name.startswith(".")]
    for name in names:
        if not _is_number(Path(name).stem):
            raise DataError(
                f"{name!r} is not named by its number, so its place in the series is unknown",
                file=folder / name,
                fix="name slices 1.png, 2.png and so on",
            )
    return sorted(names, key=lambda name: int(Path(name).stem))


def read_stack(folder: Path, names: list[str], upstream: bool) -> Stack:
    """The slices of the shape that most have, as grey values.

    ``upstream`` turns every picture grey as Pillow does; else 16-bit pictures keep their depth and transparent pixels
    are black. Raises DataError when not one picture can be read.
    """
    slices: list[tuple[str, npt.NDArray[Any]]] = []
    unreadable = []
    for name in names:
        pixels = _read(folder / name, upstream)
        if pixels is None:
            unreadable.append(name)
        else:
            slices.append((name, pixels))
    if not slices:
        raise DataError(
            f"none of the {len(names)} pictures can be read",
            file=folder,
            fix="the files are damaged or are no pictures: copy them again",
        )
    kinds = Counter((pixels.shape, pixels.dtype) for _, pixels in slices)
    usual = kinds.most_common(1)[0][0]
    odd = tuple(name for name, pixels in slices if (pixels.shape, pixels.dtype) != usual)
    kept = np.stack([pixels for _, pixels in slices if (pixels.shape, pixels.dtype) == usual])
    return Stack(kept, tuple(unreadable), odd)


def _read(path: Path, upstream: bool) -> npt.NDArray[Any] | None:
    try:
        from PIL import Image
    except ImportError as error:
        raise missing_extra("Reading pictures", "data") from error
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L")) if upstream else _grey(image)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return None


def _grey(image: Any) -> npt.NDArray[Any]:
    if image.mode.startswith("I;16") or image.mode == "I":
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("more than 16 bits")
        return values.astype(np.uint16)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        from PIL import Image

        behind = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(behind, image.convert("RGBA"))
    return np.asarray(image.convert("L"))


def _is_number(stem: str) -> bool:
    try:
        int(stem)
    except ValueError:
        return False
    return True


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
