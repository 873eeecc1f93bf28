"""No downloads while scoring: code of others runs with the network closed to the thread that calls it."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

CLOSED = "the network is not used in scoring"
_thread = threading.local()


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Within it, an attempt of this thread to reach a host raises OSError, and what is printed is dropped.

    Other threads are left alone, and so are local (Unix) sockets.
    """
    _close()
    before = getattr(_thread, "offline", False)
    _thread.offline = True
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        _thread.offline = before


@lru_cache(maxsize=1)
def _close() -> None:
    """Put a check before the calls that reach a host; once a process, and only after something asked for it."""
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def refuse() -> None:
        if getattr(_thread, "offline", False):
            raise OSError(CLOSED)

    def checked_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            refuse()
        connect(self, address)

    def checked_connect_ex(self: socket.socket, address: Any) -> int:
        if self.family != socket.AF_UNIX:
            refuse()
        return connect_ex(self, address)

    def checked_resolve(*arguments: Any, **options: Any) -> Any:
        refuse()
        return resolve(*arguments, **options)

    setattr(socket.socket, "connect", checked_connect)  # noqa: B010 - mypy rejects assigning to a method
    setattr(socket.socket, "connect_ex", checked_connect_ex)  # noqa: B010
    setattr(socket, "getaddrinfo", checked_resolve)  # noqa: B010
