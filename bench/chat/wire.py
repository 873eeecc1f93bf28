"""One HTTP answer of a chat completions server: a reply, or what kind of failure it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from m3dbench.chat.endpoint import Endpoint
from m3dbench.chat.messages import ChatReply, Usage
from m3dbench.chat.retry import Definite, Transient
from m3dbench.errors import UserError

OVERLOAD = frozenset({429, 503, 529})
RETRIED = frozenset({408, 409, 425})
FILTERS = frozenset({"content_filter", "content_policy_violation", "moderation_blocked"})
TOLD = 300


class LostAnswer(Transient):
    """The server worked on a request, and its answer cannot be used: it may have been charged."""


class TimedOut(LostAnswer):
    """No whole answer came in time; the server may have too much to do."""


def read_reply(body: str) -> ChatReply:
    """The reply in a 200, ``failed`` where a limit ate the answer. Raises LostAnswer where it holds none."""
    try:
        content = json.loads(body)
    except ValueError as error:
        raise LostAnswer(f"the server's answer is not JSON ({len(body)} characters)") from error
    choices = content.get("choices") if isinstance(content, dict) else None
    if not isinstance(choices, list) or not choices:
        told = _told(content) if isinstance(content, dict) and content.get("error") else ""
        raise LostAnswer("the server's answer holds no choice" + (f": {told}" if told else ""))
    first = choices[0]
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(message, dict):
        raise LostAnswer("the server's answer holds no message")
    common: dict[str, Any] = {
        "finish_reason": str(first.get("finish_reason") or ""),
        "usage": _usage(content.get("usage")),
        "model": str(content.get("model") or ""),
        "system_fingerprint": str(content.get("system_fingerprint") or ""),
    }
    text, refusal = _text(message.get("content")), message.get("refusal")
    if refusal:
        return ChatReply("refused", text, f"the model declined: {refusal}", **common)
    if common["finish_reason"] == "content_filter":
        return ChatReply("refused", text, "the server's content filter stopped the answer", **common)
    if not text and common["finish_reason"] == "length":
        return ChatReply("failed", "", "max_tokens were used up before any text came", **common)
    return ChatReply("ok", text, **common)


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _usage(content: Any) -> Usage:
    if not isinstance(content, dict):
        return Usage()
    counts = [content.get(name) for name in ("prompt_tokens", "completion_tokens")]
    return Usage(*(count if isinstance(count, int) and count > 0 else 0 for count in counts))


def failure(status: int, body: Any, after: float | None, endpoint: Endpoint, sent: Mapping[str, Any]) -> Exception:
    """What an HTTP error means for a request: an exception to raise. ``sent`` are the request's options."""
    details = _details(body)
    code, parameter = str(details.get("code") or ""), str(details.get("param") or "").partition(".")[0]
    told = endpoint.scrub(_told(body))
    reason = f"HTTP {status}" + (f": {told}" if told else "")
    if code == "insufficient_quota":
        return UserError(reason, field="base_url", fix="add credit there, then repeat the command to go on")
    if status in (401, 403):
        fix = f"check the key in the environment variable {endpoint.api_key_env} and what it may use"
        return UserError(f"{endpoint.address} denies access ({reason})", field="api_key_env", fix=fix)
    if status in (404, 405) or code == "model_not_found":
        fix = "check the model's name (GET /models lists them) and that the address ends where /chat/completions begins"
        return UserError(f"{endpoint.address} has no model {endpoint.model!r} ({reason})", field="model", fix=fix)
    if status in OVERLOAD:
        return Transient(reason, overload=True, after=after)
    if status in RETRIED or status >= 500:
        return Transient(reason, after=after)
    if code in FILTERS:
        return Definite(reason, refused=True)
    if parameter in sent:
        fix = "leave the option out, or set it to what this model takes"
        return UserError(f"{endpoint.model} refuses the option ({reason})", field=parameter, fix=fix)
    return Definite(reason)


def _details(body: Any) -> Mapping[str, Any]:
    details = body.get("error", body) if isinstance(body, dict) else {}
    return details if isinstance(details, dict) else {"message": details}


def _told(body: Any) -> str:
    text = str(_details(body).get("message") or "") if isinstance(body, dict) else str(body or "")
    text = " ".join(text.split())
    return text if len(text) <= TOLD else text[: TOLD - 3] + "..."
