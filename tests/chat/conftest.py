"""Tests here talk to servers of their own on the loopback interface."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chat_servers import Misbehaving, misbehaving


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Misbehaving]:
    """A server without faults that wants no key."""
    with misbehaving(tmp_path_factory.mktemp("calm")) as server:
        yield server
