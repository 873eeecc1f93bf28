"""Tokens and money: estimates before a request is sent, and a ledger that keeps the total under a limit."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from m3dbench.chat.messages import NOTHING, ChatRequest, Usage
from m3dbench.errors import ExitCode, UserError

BYTES_PER_TOKEN = 3
"""Fewer than tokenisers need for English (about 4), so that estimates err upwards."""
PER_MESSAGE = 8
DEFAULT_COMPLETION = 1000
LOW_DETAIL, TILE = 85, 170
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Price:
    """What a million tokens cost, in the currency that the user thinks in; zero where nothing is charged."""

    input: float = 0.0
    output: float = 0.0

    def of(self, usage: Usage) -> float:
        return (usage.prompt_tokens * self.input + usage.completion_tokens * self.output) / 1e6


def estimate(request: ChatRequest) -> Usage:
    """Tokens that a request may need: the prompt's by its length and its images' sizes, the answer's by ``max_tokens``.

    Images count as OpenAI publishes for its GPT-4o models: 85, and at high detail 170 for each tile of 512 x 512.
    """
    tokens = 0
    for message in request.messages:
        content = message.get("content") or ""
        tokens += PER_MESSAGE
        parts: list[Mapping[str, Any]] = [{"text": content}] if isinstance(content, str) else content
        for part in parts:
            tokens += _image(part["image_url"]) if "image_url" in part else _text(str(part.get("text", "")))
    options = request.options
    limit = options.get("max_completion_tokens") or options.get("max_tokens") or DEFAULT_COMPLETION
    if "response_format" in options:
        tokens += _text(str(options["response_format"]))
    return Usage(tokens, int(limit))


def _text(text: str) -> int:
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN)


def _image(image: Mapping[str, Any]) -> int:
    if image.get("detail") == "low":
        return LOW_DETAIL
    width, height = _size(str(image.get("url", "")))
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (scale * min(width, height)))
    return LOW_DETAIL + TILE * math.ceil(scale * width / 512) * math.ceil(scale * height / 512)


def _size(url: str) -> tuple[int, int]:
    """Width and height of a PNG data URL; what OpenAI scales large images to where it is something else."""
    head = url.partition("base64,")[2][:64]
    try:
        raw = base64.b64decode(head)
    except binascii.Error:
        raw = b""
    if raw.startswith(PNG) and len(raw) >= 24:
        width, height = struct.unpack(">II", raw[16:24])
        return max(width, 1), max(height, 1)
    return 2048, 2048


@dataclass(frozen=True)
class Estimate:
    """What asking would take, for a dry run. used: tokens, those of the answers at their most. cost: at the prices
    given, None where none were."""

    requests: int = 0
    used: Usage = NOTHING
    cost: float | None = None

    def __add__(self, other: Estimate) -> Estimate:
        cost = None if self.cost is None and other.cost is None else (self.cost or 0.0) + (other.cost or 0.0)
        return Estimate(self.requests + other.requests, self.used + other.used, cost)


class BudgetReachedError(UserError):
    """The next request might exceed ``max_cost``; what was answered is kept."""


class Ledger:
    """What was spent, what requests on their way may cost, and a limit on the sum.

    An attempt whose answer was lost on its way (cut, timed out, malformed) may have been charged, so its estimate
    counts as spent. Estimates follow the ratio of charged to estimated prompt tokens seen so far, where above one.
    """

    def __init__(self, price: Price = Price(), max_cost: float | None = None) -> None:
        if not all(0 <= number < math.inf for number in (price.input, price.output, max_cost or 0.0)):
            raise UserError("prices and limits on cost are numbers from 0", field="price")
        if max_cost is not None and not self._charged(price):
            raise UserError(
                "a limit on cost needs prices", field="max_cost", fix="give the prices of a million tokens in and out"
            )
        self.price = price
        self.max_cost = max_cost
        self.used = Usage()
        self.lost = Usage()
        self._reserved: list[float] = []
        self._ratio = 1.0

    @staticmethod
    def _charged(price: Price) -> bool:
        return bool(price.input or price.output)

    @property
    def spent(self) -> float:
        return self.price.of(self.used + self.lost)

    def expected(self, planned: Usage) -> float:
        """The cost of a request by its estimate."""
        return self.price.of(self._corrected(planned))

    def _corrected(self, planned: Usage) -> Usage:
        return Usage(math.ceil(planned.prompt_tokens * self._ratio), planned.completion_tokens)

    def reserve(self, planned: Usage) -> float | None:
        """Set money aside for one request; None when it has to wait for those on their way.

        Raises BudgetReachedError when none is on its way that could free enough.
        """
        cost = self.expected(planned)
        if self.max_cost is not None and self.spent + sum(self._reserved) + cost > self.max_cost:
            if self._reserved:
                return None
            raise BudgetReachedError(
                f"stopped before the next request ({cost:.4g}) could exceed max_cost {self.max_cost:g}:"
                f" {self.spent:.4g} is spent",
                field="max_cost",
                fix="the answers so far are kept; repeat the command with a higher limit to go on",
                code=ExitCode.BUDGET_REACHED,
            )
        self._reserved.append(cost)
        return cost

    def estimate(self, requests: Iterable[ChatRequest]) -> Estimate:
        """What sending these would take; nothing is sent."""
        used, count = Usage(), 0
        for request in requests:
            used, count = used + estimate(request), count + 1
        return Estimate(count, used, self.price.of(used) if self._charged(self.price) else None)

    def told(self) -> str:
        """Tokens and cost so far, for a person."""
        line = f"{self.used.prompt_tokens:,} tokens in, {self.used.completion_tokens:,} out"
        return line + (f", cost {self.spent:.4f}" if self._charged(self.price) else "")

    def settle(self, reserved: float, planned: Usage, used: Usage | None) -> None:
        """Put what a request really used in the place of what was reserved; None where it was never answered."""
        self._reserved.remove(reserved)
        if used is None:
            return
        if not used.prompt_tokens:
            used = planned
        elif planned.prompt_tokens:
            self._ratio = max(self._ratio, used.prompt_tokens / planned.prompt_tokens)
        self.used += used

    def charge_lost(self, planned: Usage) -> Usage:
        """An attempt may have been charged although its answer was lost; the tokens now counted for it."""
        charged = self._corrected(planned)
        self.lost += charged
        return charged
