"""Batches that do not fit the memory are halved and tried again."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")
_TOLD_BY_CPUS = ("can't allocate memory", "not enough memory", "out of memory")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device, or the host, has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(told in str(error).lower() for told in _TOLD_BY_CPUS)


class Halving:
    """Runs work on batches of at most ``limit`` items (0: no limit) and halves the limit when memory runs out.

    The work has to give an item the same result in any batch. ``limit`` is what fitted in the end.
    """

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit

    def run(self, work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T]) -> list[R]:
        """One result an item, in order. Raises what the work raises; out of memory only for a single item."""
        done: list[R] = []
        while len(done) < len(items):
            size = self.limit or len(items)
            batch = items[len(done) : len(done) + size]
            try:
                done += work(batch)
            except Exception as error:
                if not out_of_memory(error) or len(batch) == 1:
                    raise
                self.limit = (len(batch) + 1) // 2
            else:
                continue
            # outside the handler: the error's traceback keeps the tensors of the failed batch alive
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return done
