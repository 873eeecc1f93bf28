"""RadFM on a folder of toy size, and what is asked of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from m3dbench import registry
from m3dbench.adapter import Context, Query
from m3dbench.adapters.radfm.adapter import RadFMAdapter
from m3dbench.data.sample import Request

GRID = (7, 40, 50)


def volume(seed: int, grid: tuple[int, int, int] = GRID) -> np.ndarray:
    return np.random.default_rng(seed).random((1, *grid), dtype=np.float32)


def query(question: str, shown: np.ndarray | None = None, wording: str = "") -> Query:
    seen = volume(0) if shown is None else shown
    request = Request("answer", question=question, wording=wording or question)
    return Query(question, "case", request, volume=lambda: seen, grid=lambda: seen.shape[1:])


def context(requests: str = "default") -> Context:
    return Context("task", "text", 0, train=lambda: iter(()), requests=requests)


def created(folder: Path, **options: Any) -> RadFMAdapter:
    made: RadFMAdapter = registry.create("adapters", "radfm", {"weights": str(folder), **options})
    return made


def made(folder: Path, requests: str = "default", **options: Any) -> RadFMAdapter:
    adapter = created(folder, **{"max_new_tokens": "16", **options})
    adapter.prepare(context(requests))
    return adapter
