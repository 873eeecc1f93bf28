"""The parity material, where it is present."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def parity(shared: Path) -> Path:
    if not (shared / "parity" / "weights.py").is_file():
        pytest.skip("the parity material is not in the shared folder")
    return shared / "parity"
