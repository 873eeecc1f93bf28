"""Random draws that are the same on every machine and under every numpy release.

The raw stream of a numpy bit generator is guaranteed; the distributions built on it by ``Generator`` are not (NEP 19).
So the few distributions needed here are built from the raw stream, with integers wherever possible.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")

# The sum of four uniform 16-bit integers has variance 4 * (2**32 - 1) / 12.
_NOISE_MEAN = 2 * 65535
_NOISE_SD = 37836.6


class Draws:
    """A stream of draws that depends on the seed and on the names alone, never on order or worker."""

    def __init__(self, seed: int, *names: str) -> None:
        key = hashlib.sha256("/".join([str(seed), *names]).encode()).digest()
        self._bits = np.random.PCG64(int.from_bytes(key[:16], "big"))

    def _raw(self) -> int:
        return int(self._bits.random_raw())

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * ((self._raw() >> 11) * 2.0**-53)

    def around(self, value: float, share: float) -> float:
        """``value`` times a factor in [1 - share, 1 + share)."""
        return value * self.uniform(1 - share, 1 + share)

    def below(self, count: int) -> int:
        """An integer in [0, count). Raises ``ValueError`` when ``count`` is not positive."""
        if count < 1:
            raise ValueError(f"nothing to draw from: count is {count}")
        return (self._raw() >> 11) % count

    def chance(self, probability: float) -> bool:
        return self.uniform(0, 1) < probability

    def pick(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result

    def noise(self, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """Nearly normal noise, mean 0 and standard deviation 1, bounded by 3.5; made of integers, hence exact."""
        count = int(np.prod(shape))
        words = np.asarray(self._bits.random_raw(count), dtype="<u8")
        quarters = words.view("<u2").reshape(count, 4).sum(axis=1, dtype=np.int64)
        result: npt.NDArray[np.float64] = ((quarters - _NOISE_MEAN) / _NOISE_SD).reshape(shape)
        return result
