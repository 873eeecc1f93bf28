"""What long work tells about itself; the command line shows it, tests and libraries stay silent."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

Advance = Callable[[int], None]
Title = str | Callable[[], str]


class Progress(Protocol):
    """Shows stages of work."""

    def stage(self, title: Title, total: int | None) -> contextlib.AbstractContextManager[Advance]:
        """A stage of ``total`` steps (None: unknown); call what it gives with the number of steps done since.

        A title that is a function is asked again at every step.
        """
        ...


class Silent:
    """Shows nothing."""

    @contextlib.contextmanager
    def stage(self, title: Title, total: int | None) -> Iterator[Advance]:
        yield lambda _: None
