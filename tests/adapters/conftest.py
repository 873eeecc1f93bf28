"""Checkpoints of toy size with random weights, made once."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def random_lamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as M3D-LaMed's, for the phantom's grid. Read only."""
    from random_checkpoints import make_lamed

    return make_lamed(tmp_path_factory.mktemp("random") / "lamed")


@pytest.fixture(scope="session")
def random_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as M3D-CLIP's, for the phantom's grid. Read only."""
    from random_checkpoints import make_clip

    return make_clip(tmp_path_factory.mktemp("random") / "clip")
