"""Which failures are tried again, and when: exponential backoff with jitter that is fixed by seed and request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from m3dbench.data.seeds import generator

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState


@dataclass(frozen=True)
class Policy:
    """attempts: how often a request is sent before it is ``failed``, overloads aside. overloads: how often it may meet
    a server that has too much. first_s, longest_s: the wait after the first failure, doubled each time up to the
    longest. longest_ask_s: a server that asks for a longer wait ends the run, to be resumed. seed: of the jitter.
    """

    attempts: int = 6
    overloads: int = 40
    first_s: float = 0.5
    longest_s: float = 30.0
    longest_ask_s: float = 600.0
    seed: int = 0


class Transient(Exception):  # noqa: N818 - a state of a request, not an error of ours
    """An attempt failed in a way that another may not.

    overload: the server had too much. after: seconds it asks to wait. unreachable: no connection could be made.
    """

    def __init__(
        self, reason: str, *, overload: bool = False, after: float | None = None, unreachable: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.overload = overload
        self.after = after
        self.unreachable = unreachable


class Definite(Exception):  # noqa: N818 - see Transient
    """An attempt failed in a way that every other would: the request is ``failed`` (or ``refused``) at once."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused


def retrying(policy: Policy, digest: str) -> AsyncRetrying:
    """The policy for one request, as tenacity runs it; the last ``Transient`` is raised in the end."""
    from tenacity import AsyncRetrying, retry_if_exception_type

    tries = _Tries(policy, digest)
    return AsyncRetrying(retry=retry_if_exception_type(Transient), stop=tries.enough, wait=tries.wait, reraise=True)


class _Tries:
    """Counts faults and overloads of one request apart."""

    def __init__(self, policy: Policy, digest: str) -> None:
        self._policy = policy
        self._jitter = generator(policy.seed, "backoff", digest)
        self._faults = 0
        self._overloads = 0

    def enough(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Transient) and error.overload:
            self._overloads += 1
        else:
            self._faults += 1
        return self._faults >= self._policy.attempts or self._overloads >= self._policy.overloads

    def wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        doubled: float = self._policy.first_s * 2.0 ** min(state.attempt_number - 1, 20)
        backoff = min(doubled, self._policy.longest_s) * float(self._jitter.uniform(0.5, 1.0))
        asked: float | None = error.after if isinstance(error, Transient) else None
        return backoff if asked is None else asked + 0.1 * backoff
