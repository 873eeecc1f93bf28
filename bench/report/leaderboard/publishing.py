"""A built leaderboard onto a static Space of the Hugging Face hub, or into a folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from m3dbench.data.fetch.hub import failures, quiet
from m3dbench.errors import UserError, missing_extra
from m3dbench.report.leaderboard.board import Board
from m3dbench.report.leaderboard.writing import BOARD, PAGE, read_board
from m3dbench.runs import jsonl

SPACE = re.compile(r"[\w.-]+/[\w.-]+")
OF_A_NEW_SPACE = {".gitattributes", PAGE, "index.html", "style.css"}


def publish(site: Path, to: str) -> str:
    """Publish what ``build`` wrote; returns where it is now. ``to``: ``hf:OWNER/SPACE`` or ``dir:PATH``.

    Raises UserError for another target, for a demonstration that is to go on a hub, where the target holds other
    things, and when the hub refuses.
    """
    board = read_board(site)
    kind, _, target = to.partition(":")
    if kind == "dir" and target:
        return _to_folder(site, Path(target))
    if kind != "hf" or not SPACE.fullmatch(target):
        raise UserError(f"cannot publish to {to!r}", field="--to", fix="hf:OWNER/SPACE or dir:PATH")
    if board.demonstration:
        raise UserError(
            "a demonstration is not published on a hub: its numbers are made from drawn or partial data",
            file=site,
            field="--to",
            fix="publish it to dir:PATH, or build a board of runs on real data",
        )
    return _to_hub(site, board, target)


def _to_folder(site: Path, target: Path) -> str:
    if target.resolve() == site.resolve():
        raise UserError("is where the leaderboard was built", file=target, field="--to")
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not (target / BOARD).is_file())):
        raise UserError("holds other things than a published leaderboard", file=target, field="--to")
    fresh = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(site, fresh)
    if target.exists():
        shutil.rmtree(target)
    fresh.replace(target)
    return str(target)


def _to_hub(site: Path, board: Board, space: str) -> str:
    """``huggingface_hub`` takes endpoint and token from the environment or its own login; they are never shown."""
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise missing_extra("publishing on a hub", "site") from error
    api = HfApi()
    try:
        with quiet(), TemporaryDirectory() as place:
            api.create_repo(space, repo_type="space", space_sdk="static", exist_ok=True)
            _refuse_other_things(space, set(api.list_repo_files(space, repo_type="space")))
            folder = Path(place) / "site"
            shutil.copytree(site, folder)
            jsonl.replace(folder / PAGE, _front_matter(board) + (folder / PAGE).read_bytes())
            api.upload_folder(
                repo_id=space,
                folder_path=folder,
                repo_type="space",
                delete_patterns="*",
                commit_message=f"{board.title}: {len(board.submissions)} submissions",
            )
    except failures() as error:
        raise _refused(error, space) from None
    return f"{api.endpoint}/spaces/{space}"


def _refuse_other_things(space: str, there: set[str]) -> None:
    if BOARD not in there and not there <= OF_A_NEW_SPACE:
        other = sorted(there - OF_A_NEW_SPACE)[0]
        raise UserError(f"the Space {space} holds other things ({other})", field="--to", fix="name a new Space")


def _refused(error: Exception, space: str) -> UserError:
    """The error for a user, without what a request held."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403) or type(error).__name__ == "LocalTokenNotFoundError":
        return UserError(
            f"the hub does not let this login write to {space}",
            field="--to",
            fix="set HF_TOKEN to a token that may write, or log in: hf auth login",
        )
    if type(error).__name__ == "OfflineModeIsEnabled":
        return UserError("the hub may not be asked: HF_HUB_OFFLINE is set", field="--to", fix="unset HF_HUB_OFFLINE")
    told = f"status {status}" if status else type(error).__name__
    return UserError(f"the hub did not take {space}: {told}", field="--to", fix="run the same command again")


def _front_matter(board: Board) -> bytes:
    """What the hub wants to know of a Space."""
    from huggingface_hub import SpaceCardData

    data: Any = SpaceCardData(title=board.title, sdk="static", app_file="index.html", pinned=False)
    return f"---\n{data.to_yaml()}\n---\n\n".encode()
