"""Randomness derived from a seed and names, never from order, worker count or batch size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def generator(seed: int, *names: str) -> np.random.Generator:
    """A generator that depends on the seed and the names alone."""
    digest = hashlib.sha256("\x1f".join((str(seed), *names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def pick(options: Sequence[T], seed: int, *names: str) -> T:
    """One of the options, fixed by the seed and the names."""
    digest = hashlib.sha256("\x1f".join((str(seed), *names)).encode()).digest()
    return options[int.from_bytes(digest[:8], "big") % len(options)]


def shuffled(options: Iterable[str], seed: int, *names: str) -> list[str]:
    """The texts in an order fixed by the seed, the names and the texts themselves, however they came."""

    def rank(option: str) -> bytes:
        return hashlib.sha256("\x1f".join((str(seed), *names, option)).encode()).digest()

    return sorted(options, key=rank)
