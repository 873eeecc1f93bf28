"""The train volumes by their features, with what the train split says of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from m3dbench.adapter import Known
from m3dbench.adapters.nearest.features import FloatArray, Scale, describe
from m3dbench.data.sample import Request, Sample


@dataclass(frozen=True)
class Entry:
    """One train sample: what was asked, and the answer."""

    request: Request
    known: Known


class Library:
    """At most ``volumes`` train volumes of each sub-dataset, the first ones; each is read once, features alone stay.

    Entries are shelved by topic (whatever makes two requests ask the same), within a topic by volume.
    """

    def __init__(self, volumes: int) -> None:
        self._limit = volumes
        self._rows: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        self._features: list[FloatArray] = []
        self._shelves: dict[str, dict[int, list[Entry]]] = {}

    def add(self, sample: Sample, known: Known, topics: Sequence[str]) -> None:
        """Raises DataError when the volume cannot be read."""
        path = sample.volume.path if sample.volume is not None else ""
        if path not in self._rows:
            part = sample.strata.get("dataset", "")
            if self._counts[part] == self._limit:
                return
            self._counts[part] += 1
            self._features.append(describe(known.volume()))
            self._rows[path] = len(self._rows)
        for topic in topics:
            self._shelves.setdefault(topic, {}).setdefault(self._rows[path], []).append(Entry(sample.request, known))

    def settle(self) -> None:
        """Called once after the last train sample."""
        self._scale = Scale(np.stack(self._features))
        self._points = self._scale(np.stack(self._features))
        self._features.clear()

    def embed(self, volume: FloatArray) -> FloatArray:
        """(1, D, H, W) -> the standardised features."""
        return self._scale(describe(volume))

    def order(self, volume: FloatArray) -> list[int]:
        """All train volumes, the most alike (least Euclidean distance) first."""
        distances = np.linalg.norm(self._points - self.embed(volume), axis=1)
        return [int(row) for row in np.argsort(distances, kind="stable")]

    def entries(self, order: list[int], topic: str) -> Iterator[list[Entry]]:
        """What the train volumes say on a topic, in the given order, those left out that say nothing on it."""
        shelf = self._shelves.get(topic, {})
        return (shelf[row] for row in order if row in shelf)
