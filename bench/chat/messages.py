"""What is asked of a chat model, and what came of it. Plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

ReplyStatus = Literal["ok", "refused", "failed"]


@dataclass(frozen=True)
class ChatRequest:
    """One request. messages: in OpenAI's form, text and ``image_url`` parts. options: ``max_tokens``, ``temperature``,
    ``seed``, ``response_format`` and whatever else the server takes, sent as they are. key: the caller's name for it
    (a sample's id), told in errors and never sent.
    """

    messages: tuple[Mapping[str, Any], ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""

    def digest(self, endpoint: str, model: str) -> str:
        """SHA-256 of everything that decides the answer: endpoint, model, messages and options, but not ``key``."""
        content = {"endpoint": endpoint, "model": model, "messages": self.messages, "options": dict(self.options)}
        text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Usage:
    """Tokens of one reply, as the server counts them; zero where it does not say."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.prompt_tokens + other.prompt_tokens, self.completion_tokens + other.completion_tokens)


NOTHING = Usage()


@dataclass(frozen=True)
class ChatReply:
    """What came of a request.

    status: ``ok`` with ``text`` (which may be empty, or cut: see ``finish_reason``), ``refused`` (the model or its
    content filter declined; ``text`` or ``reason`` says how), ``failed`` (no answer under the retry policy; ``reason``
    says why). model, system_fingerprint: as the server reports them. attempts: how often it was sent.
    """

    status: ReplyStatus
    text: str = ""
    reason: str = ""
    finish_reason: str = ""
    usage: Usage = NOTHING
    model: str = ""
    system_fingerprint: str = ""
    attempts: int = 1

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> ChatReply:
        return ChatReply(**{**row, "usage": Usage(**row["usage"])})
