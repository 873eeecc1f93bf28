"""The contract of a chat client, over HTTP or in process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from m3dbench.chat.messages import ChatReply, ChatRequest


class Client(Protocol):
    """Answers chat requests."""

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[tuple[int, ChatReply]]:
        """(index of the request, its reply), each index once, in the order in which replies come.

        Requests are drawn as there is room to send them, in the caller's thread, so they may be made on the fly.
        A reply is in the client's store before it is yielded. Equal requests are sent once. Raises UserError where
        going on is pointless (key, model, address, budget); replies on their way are waited for and stored first, and
        calling again with the same store goes on where it stopped.
        """
        ...

    def digest(self, request: ChatRequest) -> str:
        """The name under which the store keeps the reply to a request."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """What decides the answers beside the requests: kind of endpoint, model, revision."""
        ...

    def recorded(self) -> Mapping[str, Any]:
        """What should be written down: address, tokens, cost, counts, the models that the server named."""
        ...


def in_order(replies: Iterable[tuple[int, ChatReply]]) -> Iterator[ChatReply]:
    """The replies of ``complete`` in the order of their requests; early ones wait in memory."""
    early: dict[int, ChatReply] = {}
    following = 0
    for index, reply in replies:
        early[index] = reply
        while following in early:
            yield early.pop(following)
            following += 1
