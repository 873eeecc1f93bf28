"""A pool of drawn cases on disk: drawing takes longer than a step, so volumes are drawn once and asked many things."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from .cases import TrainingCase, draw_case, facts_for, restored

CHUNK = 250


class Pool:
    """Cases ``0`` to ``count - 1`` of a seed, kept in ``directory`` as chunks of ``CHUNK`` volumes.

    ``fill`` draws what is not there yet; a chunk is written beside its place and moved there, so a killed run loses at
    most the chunks in work. Reading a case that is not there draws it.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self._directory = directory
        self._seed = seed
        self._chunks: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._facts = lru_cache(maxsize=None)(partial(facts_for, seed=seed))

    def fill(self, count: int, workers: int) -> None:
        """Draw what is missing of the first ``count`` cases, rounded up to whole chunks."""
        self._directory.mkdir(parents=True, exist_ok=True)
        missing = [
            chunk for chunk in range(-(-count // CHUNK)) if not _paths(self._directory, self._seed, chunk)[1].exists()
        ]
        if not missing:
            return
        with ProcessPoolExecutor(workers) as executor:
            for _ in executor.map(partial(_write, self._directory, self._seed), missing):
                pass

    def available(self) -> int:
        """How many cases are there, from 0 on without a gap."""
        chunk = 0
        while _paths(self._directory, self._seed, chunk)[1].exists():
            chunk += 1
        return chunk * CHUNK

    def __getitem__(self, number: int) -> TrainingCase:
        chunk, place = divmod(number, CHUNK)
        if chunk not in self._chunks:
            images, labels = _paths(self._directory, self._seed, chunk)
            if not labels.exists():
                return draw_case(number, self._seed)
            self._chunks[chunk] = np.load(images, mmap_mode="r"), np.load(labels, mmap_mode="r")
        images_, labels_ = self._chunks[chunk]
        return restored(number, self._facts(number), np.asarray(images_[place]), np.asarray(labels_[place]))


def _paths(directory: Path, seed: int, chunk: int) -> tuple[Path, Path]:
    return directory / f"seed{seed}-{chunk:04d}-images.npy", directory / f"seed{seed}-{chunk:04d}-labels.npy"


def _write(directory: Path, seed: int, chunk: int) -> None:
    cases = [draw_case(number, seed) for number in range(chunk * CHUNK, (chunk + 1) * CHUNK)]
    images, labels = _paths(directory, seed, chunk)
    # The labels come last: where they are, the chunk is whole.
    for path, arrays in ((images, [case.image for case in cases]), (labels, [case.case.labels for case in cases])):
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        with scratch.open("wb") as file:
            np.save(file, np.stack(arrays))
        scratch.replace(path)
