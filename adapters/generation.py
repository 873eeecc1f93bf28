"""What models that answer in words have in common: their options, the room for an answer, what is noted of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from m3dbench.adapter import Context
from m3dbench.data.sample import Request, lettered
from m3dbench.errors import UserError

WORDINGS = ("trained", "request")
UNFINISHED = "answer cut at the token limit"


@dataclass(frozen=True)
class Generation:
    """max_new_tokens: the longest answer. wording: ``trained`` asks in the sentences that the model was trained with,
    ``request`` in each request's own."""

    max_new_tokens: int
    wording: str

    @staticmethod
    def of(max_new_tokens: int, wording: str, *, usual: int) -> Generation:
        """From the user's options; usual: the reference's limit. Raises UserError naming the one that is wrong."""
        if wording not in WORDINGS:
            raise UserError(f"there is no wording {wording!r}", field="wording", fix=f"one of: {', '.join(WORDINGS)}")
        if max_new_tokens < 1:
            told = "max_new_tokens must be at least 1"
            raise UserError(told, field="max_new_tokens", fix=f"{usual} is the reference's")
        return Generation(max_new_tokens, wording)

    def verbatim(self, context: Context) -> bool:
        """Whether requests are put as they are worded."""
        return self.wording == "request" or context.requests == "upstream"

    def facts(self) -> Mapping[str, Any]:
        return {"decoding": "greedy", "max_new_tokens": self.max_new_tokens}

    def insist_beside(self, prompt: int, positions: int) -> None:
        """Raises UserError where no answer fits among a model's ``positions`` beside a prompt of this length."""
        if prompt + self.max_new_tokens > positions:
            told = f"an answer of {self.max_new_tokens} tokens does not fit beside a prompt of {prompt}"
            raise UserError(f"{told}: the model takes {positions}", field="max_new_tokens", fix="give fewer")

    def insist_on_room(self, prompts: Sequence[Sequence[int]], positions: int) -> None:
        """Raises ValueError for a prompt that leaves no room for an answer among a model's ``positions``."""
        room = positions - self.max_new_tokens
        if (longest := max(map(len, prompts))) > room:
            raise ValueError(f"the prompt has {longest} tokens, and the model takes {room} with an answer")


def question(request: Request, report: str) -> str:
    """What is asked for words: the model's sentence for a ``report``, else the data's question, with its choices.

    Raises ValueError for a kind of request that words alone do not answer.
    """
    match request.kind:
        case "report":
            return report
        case "answer":
            return request.question
        case "choose":
            return f"{request.question} Choices: {lettered(request.choices)}"
    raise ValueError(f"requests of kind {request.kind!r} are none for this model")
