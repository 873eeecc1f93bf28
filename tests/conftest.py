"""Shared fixtures: a small phantom, the shared reference material where it is present, and the command as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("m3dbench", deadline=None, derandomize=True)
settings.load_profile("m3dbench")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "support"))
pytest_plugins = ["browser"]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is read from or written to the user's cache."""
    os.environ["M3DBENCH_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small phantom data set: 14 train and 12 test cases. Read only: copy what you break."""
    from m3dbench.data.phantom import make

    return make(tmp_path_factory.mktemp("data") / "phantom", train=14, validation=1, test=12)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material beside the checkout; tests skip where it is absent."""
    places = [os.environ.get("M3DBENCH_SHARED", ""), str(HERE.parent.parent / "shared")]
    for place in places:
        if place and Path(place).is_dir():
            return Path(place)
    pytest.skip("the shared reference material is not here (set M3DBENCH_SHARED)")


@pytest.fixture(scope="session")
def environment(_own_cache: None) -> dict[str, str]:
    """Environment of a subprocess: same cache, no network, plain wide output."""
    return {**os.environ, "PYTHONPATH": str(HERE / "no_network"), "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


@pytest.fixture(scope="session")
def m3dbench(environment: dict[str, str]) -> Command:
    """The command line as a real process: ``m3dbench("run", "--model", "blind")``."""

    def call(*arguments: str | Path, code: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("m3dbench")), *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=cwd, timeout=300)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return call


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
