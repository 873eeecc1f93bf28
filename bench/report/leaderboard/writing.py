"""What ``build`` leaves: Markdown, CSV, JSON, model cards and the pages."""

from __future__ import annotations

import shutil
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from m3dbench.errors import UserError
from m3dbench.report.leaderboard.board import Board
from m3dbench.report.leaderboard.markdown import to_markdown
from m3dbench.report.leaderboard.model_card import model_cards
from m3dbench.report.leaderboard.table import to_csv
from m3dbench.runs import jsonl

BOARD, PAGE, TABLE, CARDS = "board.json", "README.md", "leaderboard.csv", "model-index"
SITE = "m3dbench.report.site"


def write_board(board: Board, out: Path) -> list[Path]:
    """Write every form of a board into ``out``; what an earlier build left there is replaced.

    Raises UserError when the place holds other things.
    """
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / BOARD).is_file())):
        raise UserError("holds other things than a built leaderboard", file=out, fix="choose another --out")
    fresh = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        jsonl.replace(fresh / BOARD, jsonl.document(board.model_dump(mode="json", by_alias=True)))
        jsonl.replace(fresh / PAGE, to_markdown(board).encode())
        jsonl.replace(fresh / TABLE, to_csv(board))
        (fresh / CARDS).mkdir()
        for submission, card in model_cards(board).items():
            jsonl.replace(fresh / CARDS / f"{submission}.yml", card)
        if find_spec(SITE) is not None:
            import_module(f"{SITE}.write").write_site(board, fresh)
        if out.exists():
            shutil.rmtree(out)
        fresh.replace(out)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return sorted(path for path in out.rglob("*") if path.is_file())


def read_board(folder: Path) -> Board:
    """A board that was built. Raises UserError when there is none."""
    path = folder / BOARD
    if not path.is_file():
        raise UserError(f"there is no built leaderboard here ({BOARD} is missing)", file=folder)
    try:
        return Board.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise UserError(f"is not a built leaderboard: {str(error).splitlines()[0]}", file=path) from error
