"""Which of several tied values the reference's ``topk`` keeps: PyTorch on a CPU, which selects as GCC's library does.

Among equal values the choice depends on the steps of the selection alone: a heap of the first k where 64 k <= n, else
quickselect with a median-of-three pivot. Without ties any method gives the same set. On a GPU the reference's choice is
another, and is not reproduced.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

HEAP_FACTOR = 64


def top(values: npt.NDArray[np.float32], k: int) -> frozenset[int]:
    """The places of the ``k`` largest of ``values`` (n,), 1 <= k <= n, ties as the reference's ``topk`` has them."""
    if not 1 <= k <= len(values):
        raise ValueError(f"k must lie between 1 and {len(values)}, not {k}")
    if HEAP_FACTOR * k <= len(values):
        return frozenset(_heap_select(values, list(range(k)), k))
    return frozenset(_Quickselect(values.tolist(), k).places)


def _heap_select(values: npt.NDArray[np.float32], heap: list[int], start: int) -> list[int]:
    """Keep the smallest of the kept at the root; every later value that is strictly larger replaces it."""
    size = len(heap)
    for parent in range((size - 2) // 2, -1, -1):
        _settle(values, heap, parent, heap[parent])
    place = start
    while place < len(values):
        larger = values[place:] > values[heap[0]]
        step = int(larger.argmax())
        if not larger[step]:
            break
        place += step
        _settle(values, heap, 0, place)
        place += 1
    return heap


def _settle(values: npt.NDArray[np.float32], heap: list[int], top_: int, item: int) -> None:
    """Walk the hole at ``top_`` down to a leaf along the smaller children, then lift ``item`` from there."""
    size, hole = len(heap), top_
    while (child := 2 * hole + 2) < size:
        if values[heap[child]] > values[heap[child - 1]]:
            child -= 1
        heap[hole], hole = heap[child], child
    if child == size:
        heap[hole], hole = heap[child - 1], child - 1
    while hole > top_ and values[heap[parent := (hole - 1) // 2]] > values[item]:
        heap[hole], hole = heap[parent], parent
    heap[hole] = item


class _Quickselect:
    """Partition until the ``k`` largest stand first; ``places`` are theirs."""

    def __init__(self, values: list[float], k: int) -> None:
        self._values = values
        self._order = list(range(len(values)))
        self._select(k - 1)
        self.places = self._order[:k]

    def _select(self, nth: int) -> None:
        first, last = 0, len(self._order)
        depth = 2 * (last.bit_length() - 1)
        while last - first > 3:
            if depth == 0:
                self._select_by_heap(first, nth, last)
                return
            depth -= 1
            cut = self._partition(first, last)
            first, last = (cut, last) if cut <= nth else (first, cut)
        # Stable, as insertion sort is.
        self._order[first:last] = sorted(self._order[first:last], key=lambda place: -self._values[place])

    def _select_by_heap(self, first: int, nth: int, last: int) -> None:
        part = self._order[first:last]
        values = np.asarray([self._values[place] for place in part], dtype=np.float32)
        kept = _heap_select(values, list(range(nth + 1 - first)), nth + 1 - first)
        rest = [place for place in range(len(part)) if place not in set(kept)]
        self._order[first:last] = [part[place] for place in (*kept, *rest)]

    def _before(self, one: int, other: int) -> bool:
        return self._values[self._order[one]] > self._values[self._order[other]]

    def _swap(self, one: int, other: int) -> None:
        self._order[one], self._order[other] = self._order[other], self._order[one]

    def _partition(self, first: int, last: int) -> int:
        self._swap(first, self._median(first + 1, first + (last - first) // 2, last - 1))
        left, right = first + 1, last
        while True:
            while self._before(left, first):
                left += 1
            right -= 1
            while self._before(first, right):
                right -= 1
            if left >= right:
                return left
            self._swap(left, right)
            left += 1

    def _median(self, a: int, b: int, c: int) -> int:
        """The place of the median; which of equals is part of the order being reproduced."""
        if self._before(a, b):
            return b if self._before(b, c) else c if self._before(a, c) else a
        return a if self._before(a, c) else c if self._before(b, c) else b
