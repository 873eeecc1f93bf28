"""What was computed of a volume, kept for the next questions about it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")


class Kept(Generic[T]):
    """The results of the last ``size`` volumes, by the volume's content: whatever a control shows is told apart.

    computed, asked: how often a result was made, and wanted.
    """

    def __init__(self, compute: Callable[..., T], size: int) -> None:
        self._compute = compute
        self._size = size
        self._kept: OrderedDict[bytes, T] = OrderedDict()
        self.computed = 0
        self.asked = 0

    def of(self, volume: npt.NDArray[np.float32], *beside: object) -> T:
        """The result for a volume (1, D, H, W), and for what else it is computed of, told apart by its ``repr``."""
        self.asked += 1
        key = hashlib.blake2b(np.ascontiguousarray(volume).data, salt=_shape(volume), digest_size=16).digest()
        key += repr(beside).encode()
        if key not in self._kept:
            result = self._compute(volume, *beside)
            self.computed += 1
            self._kept[key] = result
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def clear(self) -> None:
        """Let go of everything."""
        self._kept.clear()


def _shape(volume: npt.NDArray[np.float32]) -> bytes:
    return np.asarray(volume.shape[-3:], dtype="<u4").tobytes()
