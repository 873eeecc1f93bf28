"""How many requests are on their way at once: as many as the server bears, found out by trying."""

from __future__ import annotations

import asyncio
import email.utils
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

LONGEST_PAUSE_S = 60.0
_PART = re.compile(r"([0-9]*\.?[0-9]+)(ms|us|h|m|s|d)")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Limiter:
    """Additive increase, multiplicative decrease under a cap, and pauses that the server asks for.

    Starting from ``start``, every answer adds one until the first overload (429, 503, 529, time-out); each overload
    halves the limit, once for all requests that were on their way together, and from then on a full round of answers
    adds one.
    """

    def __init__(self, cap: int, start: int = 4, clock: Callable[[], float] = time.monotonic) -> None:
        self.cap = cap
        self.limit = float(min(start, cap))
        self.overloads = 0
        self._clock = clock
        self._active = 0
        self._free = asyncio.Condition()
        self._resume = 0.0
        self._halved = -math.inf

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[float]:
        """Wait for a place and for the end of any pause; gives the time at which it was taken."""
        while True:
            async with self._free:
                await self._free.wait_for(lambda: self._active < int(self.limit))
                self._active += 1
            wait = self._resume - self._clock()
            if wait <= 0:
                break
            await self._leave()
            await asyncio.sleep(wait)
        try:
            yield self._clock()
        finally:
            await self._leave()

    async def _leave(self) -> None:
        async with self._free:
            self._active -= 1
            self._free.notify_all()

    def answered(self) -> None:
        """An answer came: try a little more."""
        self.limit = min(self.cap, self.limit + (1.0 if not self.overloads else 1.0 / self.limit))

    def overloaded(self, taken: float) -> None:
        """The server had too much when a request that took its place at ``taken`` arrived."""
        self.overloads += 1
        if taken > self._halved:
            self._halved = self._clock()
            self.limit = max(1.0, self.limit / 2)

    def pause(self, seconds: float) -> None:
        """Nothing new is sent for that long."""
        self._resume = max(self._resume, self._clock() + seconds)


def retry_after(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait by ``retry-after-ms`` or ``Retry-After`` (seconds or a date); None where neither says."""
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * scale
        except ValueError:
            date = email.utils.parsedate_tz(value)
            if date is None:
                continue
            seconds = email.utils.mktime_tz(date) - now()
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def exhausted_for(headers: Mapping[str, str], tokens: int) -> float:
    """Seconds until the server has room for a request of so many tokens, by its ``x-ratelimit-*`` headers; else 0.

    At most ``LONGEST_PAUSE_S``: the size of the next request is not known, so the server is tried again after that.
    """
    wait = 0.0
    for what, needed in (("requests", 1), ("tokens", tokens)):
        left = headers.get(f"x-ratelimit-remaining-{what}", "")
        if left.strip().isdigit() and int(left) < needed:
            wait = max(wait, duration(headers.get(f"x-ratelimit-reset-{what}", "")))
    return min(wait, LONGEST_PAUSE_S)


def duration(text: str) -> float:
    """Seconds of a duration such as ``1s``, ``6m0s``, ``20ms`` or ``1.5``; 0 where it is none."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
