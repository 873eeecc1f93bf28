"""The client for OpenAI-compatible servers: the ``openai`` package sends, everything about failing is decided here."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from m3dbench.chat.cost import Ledger, estimate
from m3dbench.chat.endpoint import Endpoint
from m3dbench.chat.limits import Limiter, exhausted_for, retry_after
from m3dbench.chat.messages import ChatReply, ChatRequest, Usage
from m3dbench.chat.retry import Definite, Policy, Transient, retrying
from m3dbench.chat.store import Memory, Store
from m3dbench.chat.wire import LostAnswer, TimedOut, failure, read_reply
from m3dbench.errors import UserError, missing_extra

if TYPE_CHECKING:
    from openai import AsyncOpenAI

KEPT = ("ok", "refused")
Arrival = tuple[str, ChatReply | BaseException]


@dataclass
class HttpClient:
    """See ``m3dbench.chat.client.Client``. concurrency: the most requests on their way at once.

    Raises UserError at once when the ``openai`` package or the key is missing.
    """

    endpoint: Endpoint
    concurrency: int = 8
    policy: Policy = field(default_factory=Policy)
    ledger: Ledger = field(default_factory=Ledger)
    store: Store = field(default_factory=Memory)

    def __post_init__(self) -> None:
        try:
            import openai  # noqa: F401
            import tenacity  # noqa: F401
        except ImportError as error:
            raise missing_extra("A chat endpoint", "api") from error
        if self.concurrency < 1:
            raise UserError(f"is {self.concurrency}, expected at least 1", field="concurrency")
        self.endpoint.key()
        self._failed: dict[str, ChatReply] = {}
        self._told: dict[str, Counter[str]] = {"models": Counter(), "system_fingerprints": Counter()}
        self._counts: Counter[str] = Counter()
        self._limit = 4.0

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[tuple[int, ChatReply]]:
        waiting: dict[str, list[int]] = {}
        source = enumerate(requests)
        drawn_all = False
        stopped: BaseException | None = None
        with self._session() as session:
            while True:
                while not drawn_all and stopped is None and len(waiting) < self.concurrency and session.quiet():
                    index, request = next(source, (-1, None))
                    if request is None:
                        drawn_all = True
                        break
                    digest = self.digest(request)
                    known = self._known(digest)
                    if known is not None:
                        yield index, known
                    elif digest in waiting:
                        waiting[digest].append(index)
                    else:
                        waiting[digest] = [index]
                        session.send(digest, request)
                if not waiting:
                    break
                digest, outcome = session.next()
                if isinstance(outcome, BaseException):
                    waiting.pop(digest)
                    stopped = _worse(stopped, outcome)
                    session.abandon()
                    continue
                for index in waiting.pop(digest):
                    yield index, outcome
        if stopped is not None:
            raise stopped

    def digest(self, request: ChatRequest) -> str:
        return request.digest(self.endpoint.address, self.endpoint.model)

    def facts(self) -> Mapping[str, Any]:
        return {"endpoint": "openai-compatible", "model": self.endpoint.model}

    def recorded(self) -> Mapping[str, Any]:
        return {
            "base_url": self.endpoint.address,
            "prompt_tokens": self.ledger.used.prompt_tokens,
            "completion_tokens": self.ledger.used.completion_tokens,
            "cost": round(self.ledger.spent, 6),
            "cost_of_lost_answers": round(self.ledger.price.of(self.ledger.lost), 6),
            **{name: dict(sorted(counter.items())) for name, counter in self._told.items()},
            **dict(sorted(self._counts.items())),
        }

    def _known(self, digest: str) -> ChatReply | None:
        reply = self._failed.get(digest) or self.store.get(digest)
        if reply is not None:
            self._counts["from_store"] += 1
        return reply

    def _keep(self, digest: str, reply: ChatReply) -> None:
        """In the loop's thread, the moment a reply arrives."""
        if reply.status in KEPT:
            self.store.put(digest, reply)
        else:
            self._failed[digest] = reply
        self._counts[reply.status] += 1
        for name, value in (("models", reply.model), ("system_fingerprints", reply.system_fingerprint)):
            if value:
                self._told[name][value] += 1

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        session = _Session(self)
        try:
            yield session
        finally:
            self._limit = session.close()


class _Session:
    """One call of ``complete``: an event loop in a thread of its own, and the replies that came."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._arrived: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="m3dbench-chat", daemon=True)
        self._thread.start()
        self._asker: _Asker = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()

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

    async def _open(self) -> _Asker:
        return _Asker(self._client, Limiter(self._client.concurrency, max(1, int(self._client._limit))))

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
            self._client._keep(digest, reply)
            self._arrived.put((digest, reply))
        except asyncio.CancelledError:
            self._arrived.put((digest, StoppedError("the run stops")))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the caller's thread
            self._arrived.put((digest, error))


class _Asker:
    """Sends requests inside the event loop."""

    def __init__(self, client: HttpClient, limiter: Limiter) -> None:
        from openai import AsyncOpenAI

        self.limiter = limiter
        self._endpoint = client.endpoint
        self._policy = client.policy
        self._ledger = client.ledger
        self._store = client.store
        self._settled = asyncio.Condition()
        self._heard = False
        self.on_the_wire: set[asyncio.Task[Any] | None] = set()
        self._sdk: AsyncOpenAI = AsyncOpenAI(
            api_key=client.endpoint.key(), base_url=client.endpoint.address, max_retries=0, timeout=None
        )

    async def close(self) -> None:
        await self._sdk.close()

    async def ask(self, digest: str, request: ChatRequest) -> ChatReply:
        """The reply to one request under the retry policy. Raises UserError when the run has to stop."""
        planned = estimate(request)
        reserved = await self._reserve(planned)
        used: Usage | None = None
        attempts = 0
        try:
            async for attempt in retrying(self._policy, digest):
                with attempt:
                    attempts = attempt.retry_state.attempt_number
                    reply = replace(await self._attempt(request, planned), attempts=attempts)
                    used = reply.usage
                    return reply
        except Definite as error:
            return ChatReply("refused" if error.refused else "failed", reason=error.reason, attempts=attempts)
        except Transient as error:
            if error.unreachable:
                raise self._unreachable(error) from error
            return ChatReply("failed", reason=f"{error.reason} (attempt {attempts} of {attempts})", attempts=attempts)
        finally:
            self._ledger.settle(reserved, planned, used)
            async with self._settled:
                self._settled.notify_all()
        raise AssertionError("the retry policy ended without an outcome")

    async def _reserve(self, planned: Usage) -> float:
        async with self._settled:
            while True:
                reserved = self._ledger.reserve(planned)
                if reserved is not None:
                    return reserved
                await self._settled.wait()

    async def _attempt(self, request: ChatRequest, planned: Usage) -> ChatReply:
        async with self.limiter.slot() as taken:
            self.on_the_wire.add(asyncio.current_task())
            try:
                reply = await self._send(request, planned)
            except LostAnswer as error:
                self._store.lost(self._ledger.charge_lost(planned))
                if isinstance(error, TimedOut):
                    self.limiter.overloaded(taken)
                raise
            except Transient as error:
                if error.overload:
                    self.limiter.overloaded(taken)
                if error.after is not None:
                    self._pause(error.after, error.reason)
                if error.unreachable and not self._heard:
                    raise self._unreachable(error) from error
                raise
            finally:
                self.on_the_wire.discard(asyncio.current_task())
            self.limiter.answered()
            return reply

    async def _send(self, request: ChatRequest, planned: Usage) -> ChatReply:
        import openai

        extra = dict(request.options)
        messages: Any = list(request.messages)
        # Raised outside the except blocks: the SDK's own errors repeat what the server said, the key included.
        wrong: Exception
        try:
            async with asyncio.timeout(self._endpoint.timeout_s):
                raw = await self._sdk.chat.completions.with_raw_response.create(
                    model=self._endpoint.model, messages=messages, extra_body=extra
                )
            self._heard = True
            self.limiter.pause(exhausted_for(raw.headers, planned.prompt_tokens))
            return read_reply(self._endpoint.scrub(raw.content.decode("utf-8", "replace")))
        except openai.APIStatusError as error:
            self._heard = True
            headers = error.response.headers
            wrong = failure(error.status_code, error.body, retry_after(headers), self._endpoint, extra)
        except (TimeoutError, openai.APITimeoutError):
            wrong = TimedOut(f"no answer within {self._endpoint.timeout_s:g} s")
        except openai.APIConnectionError as error:
            cause = error.__cause__
            told = self._endpoint.scrub(f"{type(cause or error).__name__}: {cause or error}")
            unmade = type(cause).__name__ == "ConnectError"
            wrong = LostAnswer(f"the connection broke ({told})")
            wrong = Transient(f"no connection ({told})", unreachable=True) if unmade else wrong
        raise wrong

    def _pause(self, seconds: float, reason: str) -> None:
        if seconds > self._policy.longest_ask_s:
            raise UserError(
                f"{self._endpoint.address} asks to wait {seconds / 60:.0f} minutes ({reason})",
                field="base_url",
                fix="repeat the command after that time: it goes on where it stopped",
            )
        self.limiter.pause(seconds)

    def _unreachable(self, error: Transient) -> UserError:
        told = "does not answer" if not self._heard else "no longer answers"
        return UserError(
            f"{self._endpoint.address} {told}: {error.reason}",
            field="base_url",
            fix="start the server or mend the address, then repeat the command: it goes on where it stopped",
        )


class StoppedError(UserError):
    """A request that was not sent, since another one found that the run has to stop."""


def _worse(earlier: BaseException | None, later: BaseException) -> BaseException:
    """The error to tell: the first one that says why."""
    return (
        later
        if earlier is None or (isinstance(earlier, StoppedError) and not isinstance(later, StoppedError))
        else earlier
    )
