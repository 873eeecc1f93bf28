"""On a subprocess's PYTHONPATH: any attempt to reach the network fails loudly."""

import socket
from typing import Any


def refuse(*_: Any, **__: Any) -> None:
    raise RuntimeError("the network was used")


for name in ("connect", "connect_ex"):
    setattr(socket.socket, name, refuse)
socket.create_connection = refuse  # type: ignore[assignment]
socket.getaddrinfo = refuse  # type: ignore[assignment]
