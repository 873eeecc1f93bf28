"""``m3dbench leaderboard`` as users call it: add, check, build, publish."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from space_server import Space
from submitted_runs import TASK, edit, real_data, scored
from tests_support import contents

Command = Callable[..., subprocess.CompletedProcess[str]]
TOKEN = "hf_secretsecretsecret"


@pytest.fixture(scope="module")
def place(phantom: Path, m3dbench: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs on real data, one on the phantom, a board of the first two and what was built of it."""
    place = tmp_path_factory.mktemp("cli")
    data = real_data(phantom, place / "data")
    for name, share in (("one", 0.9), ("two", 0.4)):
        scored(data, place / name, share)
    scored(phantom, place / "drawn", 0.5)
    m3dbench(
        "leaderboard", "add", place / "one", place / "two", "--board", place / "board", "--title", "Ours",
        "--link", "code=https://example.org", "--train-data", "none",
    )  # fmt: skip
    m3dbench("leaderboard", "build", place / "board", "--out", place / "site")
    return place


def test_the_phantom_is_refused_and_nothing_is_written(place: Path, m3dbench: Command) -> None:
    done = m3dbench("leaderboard", "add", place / "drawn", "--board", place / "other", code=2)
    assert "phantom" in done.stderr
    assert "--demo" in done.stderr
    assert not (place / "other").exists()


def test_tampered_numbers_end_in_exit_status_1_with_their_names(place: Path, m3dbench: Command, tmp_path: Path) -> None:
    honest = m3dbench("leaderboard", "check", place / "board", "--data", place / "data")
    assert "2 from predictions" in honest.stdout
    board = Path(shutil.copytree(place / "board", tmp_path / "board"))
    record = next(board.glob("submissions/two-*/submission.json"))
    edit(record, "tasks", TASK, "summary", "metrics", 0, "micro", "value", value=0.95)
    done = m3dbench("leaderboard", "check", board, code=1)
    assert "accuracy (corrected) micro.value: stated 0.95, recomputed 0." in done.stdout
    assert record.parent.name in done.stdout
    assert m3dbench("leaderboard", "build", board, "--out", tmp_path / "site", code=1).stdout.count("0.95") == 1
    assert not (tmp_path / "site").exists()


def test_a_demonstration_is_marked_and_never_put_on_a_hub(place: Path, m3dbench: Command, tmp_path: Path) -> None:
    m3dbench("leaderboard", "add", place / "drawn", "--board", tmp_path / "demo", "--demo")
    done = m3dbench("leaderboard", "publish", tmp_path / "demo", "--to", "hf:owner/space", code=2)
    assert "demonstration" in done.stderr
    done = m3dbench("leaderboard", "publish", tmp_path / "demo", "--to", f"dir:{tmp_path / 'public'}")
    assert "Demonstration" in (tmp_path / "public" / "README.md").read_text()


def published(place: Path, space: Space, token: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HF_TOKEN")}
    environment |= {**space.environment, "HF_TOKEN": token, "HF_HOME": str(place / "hf"), "COLUMNS": "200"}
    command = [str(Path(sys.executable).with_name("m3dbench")), "leaderboard", "publish", str(place / "site")]
    return subprocess.run([*command, "--to", f"hf:{space.repo}"], env=environment, capture_output=True, text=True)


@pytest.mark.enable_socket
def test_a_board_goes_onto_a_static_space_and_takes_the_place_of_the_last_one(place: Path) -> None:
    earlier = {".gitattributes": b"", "board.json": b"{}", "models/gone.html": b"old"}
    with Space("owner/board", earlier, token=TOKEN) as space:
        done = published(place, space, TOKEN)
        assert done.returncode == 0, done.stderr
        assert f"{space.url}/spaces/owner/board" in done.stdout
        assert space.created[0]["sdk"] == "static"
        assert space.commits == ["Ours: 2 submissions"]
        built = contents(place / "site")
        page = space.files["README.md"]
        assert page.startswith(b"---\ntitle: Ours\n")
        assert b"sdk: static" in page
        assert page.endswith(built["README.md"])
        there = {path: content for path, content in space.files.items() if path not in (".gitattributes", "README.md")}
        assert there == {path: content for path, content in built.items() if path != "README.md"}
        assert TOKEN not in done.stdout + done.stderr


@pytest.mark.enable_socket
def test_a_wrong_token_and_a_space_of_other_things_are_told(place: Path) -> None:
    with Space("owner/board", {"app.py": b"mine"}, token=TOKEN) as space:
        done = published(place, space, "hf_anothersecret")
        assert done.returncode == 2
        assert "does not let this login write" in done.stderr
        assert "hf_anothersecret" not in done.stdout + done.stderr
        done = published(place, space, TOKEN)
        assert done.returncode == 2
        assert "holds other things (app.py)" in done.stderr
        assert space.files == {"app.py": b"mine"}
        assert space.commits == []
