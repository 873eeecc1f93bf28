"""A leaderboard's folder: ``leaderboard.toml`` with its rules, and ``submissions/ID/`` for each submission."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from m3dbench.errors import UserError
from m3dbench.report.leaderboard.submission import Submitted, problems
from m3dbench.runs import jsonl

RULES, SUBMISSIONS, RECORD, CHECKED = "leaderboard.toml", "submissions", "submission.json", "checked.json"


class Rules(BaseModel):
    """What a board accepts and how it ranks.

    demonstration: drawn or partial data is accepted, every output says so, and nothing of it is published on a hub.
    alpha: of all the tests of one ranking together. max_error_rate: share of samples that may have no usable answer;
    max_unscored_rate: share that a judge may have left without a score.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = "Leaderboard"
    demonstration: bool = False
    alpha: float = Field(default=0.05, gt=0, lt=1)
    max_error_rate: float = Field(default=0.02, ge=0, le=1)
    max_unscored_rate: float = Field(default=0.02, ge=0, le=1)

    def to_toml(self) -> bytes:
        # A string of JSON's is one of TOML's, which wants one more character escaped.
        title = json.dumps(self.title, ensure_ascii=False).replace("\x7f", "\\u007f")
        lines = [
            f"title = {title}",
            f"demonstration = {str(self.demonstration).lower()}  # drawn or partial data; never on a hub",
            f"alpha = {self.alpha:g}  # of all the tests of one ranking together",
            f"max_error_rate = {self.max_error_rate:g}  # share of samples without a usable answer",
            f"max_unscored_rate = {self.max_unscored_rate:g}  # share that a judge left without a score",
        ]
        return ("\n".join(lines) + "\n").encode()


class BoardFolder:
    """A board on disk."""

    def __init__(self, path: Path, rules: Rules) -> None:
        self.path = path
        self.rules = rules

    @staticmethod
    def open(path: Path) -> BoardFolder:
        """Raises UserError when there is no board, or its rules cannot be read."""
        file = path / RULES
        if not file.is_file():
            raise UserError(
                f"there is no leaderboard here ({RULES} is missing)",
                file=path,
                fix="m3dbench leaderboard add RUN --board DIR makes one",
            )
        try:
            return BoardFolder(path, Rules.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"is not valid TOML: {error}", file=file) from error
        except ValidationError as error:
            raise UserError(problems(error), file=file, fix=f"fields: {', '.join(Rules.model_fields)}") from error

    def save(self) -> None:
        """Write the rules; makes the folder where it is not there."""
        (self.path / SUBMISSIONS).mkdir(parents=True, exist_ok=True)
        jsonl.replace(self.path / RULES, self.rules.to_toml())

    def ids(self) -> list[str]:
        """The submissions, sorted; each folder there is one."""
        folder = self.path / SUBMISSIONS
        return sorted(item.name for item in folder.iterdir() if item.is_dir()) if folder.is_dir() else []

    def place(self, submission: str) -> Path:
        return self.path / SUBMISSIONS / submission

    def read(self, submission: str) -> Submitted:
        """Raises UserError naming file and field where a record is missing or has another form."""
        return Submitted.read(self.place(submission) / RECORD)


def open_or_new(path: Path, *, title: str = "", demonstration: bool = False) -> BoardFolder:
    """The board there, or a new one, which is on disk once it is saved. ``demonstration`` marks a board that holds
    nothing yet.

    Raises UserError where the place holds other things, and where a board with submissions is to become a
    demonstration.
    """
    if not (path / RULES).is_file():
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UserError("holds other things and no leaderboard", file=path, fix="choose another --board")
        rules = Rules(demonstration=demonstration)
        return BoardFolder(path, rules.model_copy(update={"title": title}) if title else rules)
    board = BoardFolder.open(path)
    if demonstration and not board.rules.demonstration:
        if board.ids():
            raise UserError(
                "the board holds results and is no demonstration", file=path, field="--demo", fix="use another --board"
            )
        return BoardFolder(path, board.rules.model_copy(update={"demonstration": True}))
    return board
