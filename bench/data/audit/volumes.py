"""Volumes that stand in two parts: perceptual hashes find the candidates, the voxels decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.files import load_volume
from m3dbench.data.sample import FileRef
from m3dbench.errors import DataError, missing_extra
from m3dbench.parallel import ordered

Array = npt.NDArray[np.float32]
Hashes = npt.NDArray[np.uint64]
THUMB = (32, 32, 32)
SAME = 0.85
"""Correlation of the thumbnails' detail from which two volumes show one scan.

Measured: other patients up to 0.65; copies with other intensities, noise or resolution 0.87 and more, other contrast
phases of one scan mostly more than 0.9. A copy cropped by more than a thirtieth of its extent is not recognised.
"""
BITS = 48
"""Of 192 bits of hash, how many may differ in a candidate."""
CHUNK = 16
# The three axes may run either way, and H and W may be swapped: M3D's preparations do both, unrecorded.
_TURNS: tuple[tuple[bool, bool, bool, bool], ...] = tuple(
    (swap, d, h, w) for swap, d, h, w in product((False, True), repeat=4)
)


@dataclass(frozen=True)
class VolumeMatch:
    """Two volumes of different parts that show one scan. place, other: places in the lists given."""

    place: int
    other: int
    correlation: float


@dataclass(frozen=True)
class Signatures:
    """Hashes of a list of volumes (n, 3): one 64-bit perceptual hash for the projection along D, H and W each;
    turned (n, 16, 3): of every way to flip and swap the axes. readable (n,): False where a file could not be read."""

    turned: Hashes
    readable: npt.NDArray[np.bool_]

    @property
    def plain(self) -> Hashes:
        return self.turned[:, 0]


class Signer:
    """Hashes of chunks of volumes; travels to other processes. turned: in every turn, not as stored alone."""

    def __init__(self, root: Path, *, turned: bool) -> None:
        self.root = root
        self.turns = _TURNS if turned else _TURNS[:1]

    def __call__(self, paths: Sequence[str]) -> list[Hashes | None]:
        return [self._hashes(path) for path in paths]

    def _hashes(self, path: str) -> Hashes | None:
        try:
            volume = load_volume(self.root, FileRef(path))[0]
        except DataError:
            return None
        small = shrunk(volume, THUMB)
        return np.asarray([_hash_of(turn(small, how)) for how in self.turns], dtype=np.uint64)


def signatures(
    root: Path, paths: Sequence[str], workers: int, advance: Any = lambda _: None, *, turned: bool
) -> Signatures:
    """The signatures of volumes, over processes. Raises UserError where a package is missing."""
    try:
        import imagehash  # noqa: F401 - told here, once, instead of in every process
    except ImportError as error:
        raise missing_extra("comparing volumes", "data") from error
    work = Signer(root, turned=turned)
    found: list[Hashes | None] = []
    chunks = (paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK))
    for hashes in ordered(work, chunks, workers):
        found += hashes
        advance(len(hashes))
    blank = np.zeros((len(work.turns), 3), dtype=np.uint64)
    stacked = np.stack([blank if one is None else one for one in found]) if found else blank[None][:0]
    return Signatures(stacked, np.asarray([one is not None for one in found], dtype=np.bool_))


def matches(
    root: Path,
    ours: tuple[Sequence[str], Signatures],
    theirs: tuple[Sequence[str], Signatures],
    skip: Iterable[tuple[int, int]] = (),
) -> Iterator[VolumeMatch]:
    """Pairs of volumes that show one scan. ``skip``: pairs of places not to look at."""
    left_out = set(skip)

    @lru_cache(maxsize=256)
    def thumb(path: str) -> Array:
        return detail(load_volume(root, FileRef(path))[0])

    for place in np.flatnonzero(ours[1].readable).tolist():
        distances = _distances(ours[1].turned[place], theirs[1].plain)
        distances[:, ~theirs[1].readable] = 255
        for other in np.flatnonzero(distances.min(axis=0) <= BITS).tolist():
            if (place, other) in left_out:
                continue
            mine, their = thumb(ours[0][place]), thumb(theirs[0][other])
            likely = np.flatnonzero(distances[:, other] <= BITS)
            best = max(correlation(turn(mine, _TURNS[index]), their) for index in likely)
            if best >= SAME:
                yield VolumeMatch(place, other, best)


def turn(volume: Array, how: tuple[bool, bool, bool, bool]) -> Array:
    """A view with H and W swapped, then the axes flipped, as said."""
    swap, *flips = how
    view = volume.transpose(0, 2, 1) if swap else volume
    return view[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]


def shrunk(volume: Array, shape: tuple[int, ...]) -> Array:
    """Means over blocks, nearest voxels along an axis that is shorter than asked for; flips give flipped results."""
    for axis, size in enumerate(shape):
        length = volume.shape[axis]
        if length < size:
            volume = np.take(volume, ((np.arange(size) + 0.5) * length / size).astype(int), axis=axis)
        else:
            edges = np.floor(np.arange(size) * length / size + 0.5).astype(int)
            counts = np.diff([*edges, length]).astype(np.float32)
            sums = np.add.reduceat(volume, edges, axis=axis)
            means = sums / counts.reshape([-1 if number == axis else 1 for number in range(3)])
            volume = np.asarray(means, dtype=np.float32)
    return np.asarray(volume, dtype=np.float32)


def detail(volume: Array) -> Array:
    """The thumbnail less its blurred self: what is left when the outline that all bodies share is taken away."""
    from scipy.ndimage import gaussian_filter

    small = shrunk(volume, THUMB)
    return np.asarray(small - gaussian_filter(small, 1), dtype=np.float32)


def correlation(one: Array, other: Array) -> float:
    """Pearson correlation of the voxels, 0 where one of them is constant."""
    a, b = (value.ravel() - value.mean() for value in (one, other))
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / scale if scale else 0.0


def _hash_of(volume: Array) -> list[int]:
    """The perceptual hashes of the three projections."""
    import imagehash
    from PIL import Image

    hashes = []
    for axis in range(3):
        picture = volume.mean(axis=axis)
        low, high = float(picture.min()), float(picture.max())
        grey = np.zeros(picture.shape) if high == low else (picture - low) / (high - low) * 255
        bits = imagehash.phash(Image.fromarray(grey.astype(np.uint8))).hash.ravel()
        hashes.append(int(np.packbits(bits).view(">u8")[0]))
    return hashes


def _distances(turned: Hashes, plain: Hashes) -> npt.NDArray[np.int64]:
    """Bits that differ, (turns, n)."""
    table = np.asarray([number.bit_count() for number in range(256)], dtype=np.uint8)
    return np.stack(
        [
            table[(one[None] ^ plain).view(np.uint8)]
            .reshape(len(plain), plain.shape[1] * 8)
            .sum(axis=1, dtype=np.int64)
            for one in turned
        ]
    )
