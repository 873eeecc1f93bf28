"""The adapter: queries to chat requests with pictures, replies to predictions."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.adapters.openai_api.options import DETAILS, LIMITS, number
from m3dbench.adapters.slices.showing import TASKS, UPSTREAM, UPSTREAM_TOKENS, Showing
from m3dbench.chat.client import Client, in_order
from m3dbench.chat.connect import connect
from m3dbench.chat.cost import Estimate, Ledger, Price
from m3dbench.chat.endpoint import OPENAI
from m3dbench.chat.messages import ChatReply, ChatRequest
from m3dbench.data.prediction import Prediction
from m3dbench.data.slices import png
from m3dbench.errors import UserError

KEPT = {"log": "replies.jsonl", "usage": "usage.jsonl"}


class OpenAIChat(Adapter):
    """A chat model behind an OpenAI-compatible endpoint (OpenAI, vLLM, llama.cpp, Ollama), fed with slices.

    model: the server's name for it. slices: how many, ``upstream`` (as the reference shows them to GPT-4V), or ``none``
    for text alone. axis, window, size, montage, flip: see ``m3dbench.data.slices``; several windows go with commas.
    detail: as the endpoint takes it. max_tokens: of an answer, sent as ``limit_as``. temperature: ``none`` sends none.
    instruction: in the place of our sentence on the answer's form. price_in, price_out: of a million tokens. max_cost:
    of the run. cache: a directory of replies that runs share. See docs/model-openai.md.
    """

    name = "openai"
    version = "1.0"
    tasks = TASKS

    def __init__(
        self,
        *,
        model: str,
        base_url: str = OPENAI,
        api_key_env: str = "OPENAI_API_KEY",
        slices: str = "10",
        axis: str = "d",
        window: str = "auto",
        size: int = 512,
        montage: int = 0,
        flip: str = "",
        detail: str = "",
        max_tokens: int = UPSTREAM_TOKENS,
        limit_as: str = "max_tokens",
        temperature: str = "0",
        instruction: str = "",
        concurrency: int = 8,
        timeout: float = 120.0,
        price_in: float = 0.0,
        price_out: float = 0.0,
        max_cost: str = "none",
        cache: str = "",
    ) -> None:
        self._showing = Showing.of(slices, axis, window, size, montage, flip, instruction)
        if detail not in DETAILS:
            raise UserError(f"there is no detail {detail!r}", field="detail", fix="low, high or auto")
        if limit_as not in LIMITS:
            raise UserError(f"is {limit_as!r}", field="limit_as", fix=f"choose one of: {', '.join(LIMITS)}")
        if max_tokens < 1:
            raise UserError(f"is {max_tokens}, expected at least 1", field="max_tokens")
        self._detail = detail
        self._sent: dict[str, Any] = {limit_as: max_tokens}
        heat = None if slices == UPSTREAM and temperature == "0" else number(temperature, "temperature")
        if heat is not None:
            self._sent["temperature"] = heat
        self._ledger = Ledger(Price(price_in, price_out), number(str(max_cost), "max_cost"))
        self._connection: dict[str, Any] = {
            "model": model,
            "base_url": base_url,
            "api_key_env": api_key_env,
            "timeout_s": timeout,
            "concurrency": concurrency,
            "ledger": self._ledger,
            "cache": Path(cache) if cache else None,
        }
        self._client: Client = connect(**self._connection)
        self.name = f"openai:{model}"  # type: ignore[misc]
        self.looks = self._showing.how is not None  # type: ignore[misc]
        self.boxes = self._showing.boxes  # type: ignore[misc]
        self.tasks = self._showing.tasks

    def prepare(self, context: Context) -> None:
        self._answer = context.answer
        kept: dict[str, Any] = (
            {} if context.folder is None else {name: context.folder / file for name, file in KEPT.items()}
        )
        self._client = connect(**self._connection, **kept, seed=context.seed)

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        return list(self.stream(queries))

    def stream(self, queries: Iterable[Query]) -> Iterator[Prediction]:
        asked: deque[tuple[Query, str]] = deque()

        def requests() -> Iterator[ChatRequest]:
            for query in queries:
                text, request = self._request(query, self._pictures(query))
                asked.append((query, text))
                yield request

        for reply in in_order(self._client.complete(requests())):
            yield self._prediction(*asked.popleft(), reply)

    def estimate(self, queries: Iterable[Query]) -> Estimate:
        blank: dict[tuple[tuple[int, int, int], str], list[bytes]] = {}

        def requests() -> Iterator[ChatRequest]:
            for query in queries:
                key = (query.grid(), query.request.kind)
                if key not in blank:
                    blank[key] = self._made(np.zeros(key[0], dtype=np.float32), query)
                yield self._request(query, blank[key])[1]

        return self._ledger.estimate(requests())

    def facts(self) -> Mapping[str, Any]:
        return {**self._client.facts(), **self._showing.facts(), "detail": self._detail, "options": self._sent}

    def recorded(self) -> Mapping[str, Any]:
        return {name: value for name, value in self._client.recorded().items() if name in ("base_url", "path")}

    def spent(self) -> str:
        return self._ledger.told()

    def _pictures(self, query: Query) -> list[bytes]:
        return self._made(query.volume(), query) if self.looks else []

    def _made(self, volume: Any, query: Query) -> list[bytes]:
        return [png(picture) for picture in self._showing.pictures(volume, query.request.kind)]

    def _request(self, query: Query, images: Sequence[bytes]) -> tuple[str, ChatRequest]:
        """The prompt's text, and the request: one user turn, the text before the pictures."""
        text = self._showing.text(query, self._answer)
        content: list[dict[str, Any]] = [{"type": "text", "text": text}]
        for image in images:
            url = "data:image/png;base64," + base64.b64encode(image).decode()
            content.append({"type": "image_url", "image_url": {"url": url, **self._detailed()}})
        message = {"role": "user", "content": content if images else text}
        return text, ChatRequest((message,), self._sent, query.id)

    def _detailed(self) -> dict[str, str]:
        return {"detail": self._detail} if self._detail else {}

    def _prediction(self, query: Query, text: str, reply: ChatReply) -> Prediction:
        status = {"ok": "ok", "refused": "refused", "failed": "error"}[reply.status]
        box = self._showing.box(query, reply.text) if self._answer == "box" else None
        said = reply.text if reply.status == "ok" else reply.text or None
        return Prediction(query.id, said, box, status=status, reason=reply.reason, wording=text)  # type: ignore[arg-type]
