"""The client for OpenAI-compatible servers: what is asked, what is known already, and what is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from m3dbench.chat.asker import Asker
from m3dbench.chat.cost import Ledger
from m3dbench.chat.endpoint import Endpoint
from m3dbench.chat.limits import Limiter
from m3dbench.chat.messages import ChatReply, ChatRequest
from m3dbench.chat.retry import Policy
from m3dbench.chat.session import Session, StoppedError
from m3dbench.chat.store import Memory, Store
from m3dbench.errors import UserError, missing_extra
from m3dbench.runs import jsonl

KEPT = ("ok", "refused")


@dataclass
class HttpClient:
    """See ``m3dbench.chat.client.Client``. concurrency: the most requests on their way at once. usage: see
    ``m3dbench.chat.connect``.

    Raises UserError at once when the ``openai`` package or the key is missing.
    """

    endpoint: Endpoint
    concurrency: int = 8
    policy: Policy = field(default_factory=Policy)
    ledger: Ledger = field(default_factory=Ledger)
    store: Store = field(default_factory=Memory)
    usage: Path | None = None

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
    def _session(self) -> Iterator[Session]:
        limiter = partial(Limiter, self.concurrency, max(1, int(self._limit)))
        session = Session(
            lambda: Asker(self.endpoint, self.policy, self.ledger, self.store, limiter()), keep=self._keep
        )
        try:
            yield session
        finally:
            self._limit = session.close()
            if self.usage is not None:
                with self.usage.open("ab") as stream:
                    stream.write(jsonl.line(self.recorded()))


def _worse(earlier: BaseException | None, later: BaseException) -> BaseException:
    """The error to tell: the first one that says why."""
    return (
        later
        if earlier is None or (isinstance(earlier, StoppedError) and not isinstance(later, StoppedError))
        else earlier
    )
