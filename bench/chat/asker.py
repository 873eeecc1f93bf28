"""One request over HTTP: the ``openai`` package sends, everything about failing is decided here."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from m3dbench.chat.cost import Ledger, estimate
from m3dbench.chat.endpoint import Endpoint
from m3dbench.chat.limits import Limiter, exhausted_for, retry_after
from m3dbench.chat.messages import ChatReply, ChatRequest, Usage
from m3dbench.chat.retry import Definite, Policy, Transient, retrying
from m3dbench.chat.store import Store
from m3dbench.chat.wire import LostAnswer, TimedOut, failure, read_reply
from m3dbench.errors import UserError

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class Asker:
    """Sends requests inside the event loop."""

    def __init__(self, endpoint: Endpoint, policy: Policy, ledger: Ledger, store: Store, limiter: Limiter) -> None:
        from openai import AsyncOpenAI

        self.limiter = limiter
        self._endpoint = endpoint
        self._policy = policy
        self._ledger = ledger
        self._store = store
        self._settled = asyncio.Condition()
        self._heard = False
        self.on_the_wire: set[asyncio.Task[Any] | None] = set()
        self._sdk: AsyncOpenAI = AsyncOpenAI(
            api_key=endpoint.key(), base_url=endpoint.address, max_retries=0, timeout=None
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
