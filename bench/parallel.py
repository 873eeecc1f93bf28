"""Work over processes: results in the order of the items, and only so many items in flight."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from typing import TypeVar

from m3dbench.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
START_AFTER = 4
"""Items worked off in this process before others are started: small work is done by then."""


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int, in_flight: int = 4
) -> Iterator[Result]:
    """``work`` on every item, in order; ``work`` and the items travel to other processes, so both must pickle.

    At most ``workers * in_flight`` items wait at a time, so memory does not grow with their number. Raises UserError
    when a process dies, for example of too little memory.
    """
    stream = iter(items)
    first = list(islice(stream, START_AFTER))
    yield from map(work, first)
    more = list(islice(stream, 1))
    if not more:
        return
    rest = chain(more, stream)
    if workers < 2:
        yield from map(work, rest)
        return
    # A forked child would inherit the locks of the progress display's thread.
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    waiting: deque[Future[Result]] = deque()
    try:
        for item in rest:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= workers * in_flight:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise UserError(
            "a worker process died", fix="there may be too little memory: try again with fewer --workers"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
