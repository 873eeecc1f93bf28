"""One call of ``complete``: requests go to an event loop in another thread, replies come back through a queue."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Collection
from typing import Any

from m3dbench.chat.asker import Asker
from m3dbench.chat.messages import ChatReply, ChatRequest
from m3dbench.errors import UserError

Arrival = tuple[str, ChatReply | BaseException]


class StoppedError(UserError):
    """A request that was not sent, since another one found that the run has to stop."""


class Session:
    """An event loop in a thread of its own, and the replies that came.

    asker: made inside the loop. keep: called in the loop's thread with every reply, the moment it arrives.
    """

    def __init__(self, asker: Callable[[], Asker], keep: Callable[[str, ChatReply], None]) -> None:
        self._make = asker
        self._keep = keep
        self._arrived: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="m3dbench-chat", daemon=True)
        self._thread.start()
        self._asker: Asker = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()

    def send(self, digest: str, request: ChatRequest) -> None:
        asyncio.run_coroutine_threadsafe(self._answer(digest, request), self._loop)

    def abandon(self) -> None:
        """Give up what waits for its turn; what the server works on is still waited for."""
        asyncio.run_coroutine_threadsafe(self._cancel(spare=self._asker.on_the_wire), self._loop).result()

    def quiet(self) -> bool:
        """No reply waits to be handed on."""
        return self._arrived.empty()

    def next(self) -> Arrival:
        """Wait for a reply, or for the reason to stop."""
        return self._arrived.get()

    def close(self) -> float:
        """End what is still on its way; the limit that was found."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        return self._asker.limiter.limit

    async def _open(self) -> Asker:
        return self._make()

    async def _close(self) -> None:
        await self._cancel(spare=frozenset())
        await self._asker.close()

    async def _cancel(self, spare: Collection[asyncio.Task[Any] | None]) -> None:
        ended = [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and task not in spare]
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    async def _answer(self, digest: str, request: ChatRequest) -> None:
        try:
            reply = await self._asker.ask(digest, request)
            self._keep(digest, reply)
            self._arrived.put((digest, reply))
        except asyncio.CancelledError:
            self._arrived.put((digest, StoppedError("the run stops")))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the caller's thread
            self._arrived.put((digest, error))
