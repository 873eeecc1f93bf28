"""How far the numbers on a board were recomputed, kept beside each submission so that a build need not repeat it."""

from __future__ import annotations

import json
from pathlib import Path

from m3dbench.progress import Progress, Silent
from m3dbench.report.leaderboard.checking import Checked, Verified, check
from m3dbench.report.leaderboard.findings import Finding
from m3dbench.report.leaderboard.folder import CHECKED, BoardFolder
from m3dbench.report.leaderboard.rescoring import Rescorer
from m3dbench.report.leaderboard.submission import digest
from m3dbench.runs import jsonl


def check_board(
    board: BoardFolder, rescorer: Rescorer | None = None, progress: Progress | None = None
) -> list[Checked]:
    """Check every submission from its files, whatever was found before, and note what holds in ``checked.json``."""
    names = board.ids()
    done = []
    with (progress or Silent()).stage("checking", len(names)) as advance:
        for name in names:
            found = check(board, name, rescorer)
            note(board, found)
            done.append(found)
            advance(1)
    return done


def note(board: BoardFolder, found: Checked) -> None:
    """Keep what a check found to hold; nothing where it found anything amiss."""
    path = board.place(found.submission) / CHECKED
    if found.findings:
        path.unlink(missing_ok=True)
        return
    content = {
        "schema": 1,
        "files": _digests(board, found.submission),
        "verified": dict(sorted(found.verified.items())),
    }
    jsonl.write_document(path, content)


def verified(
    board: BoardFolder, progress: Progress | None = None
) -> tuple[dict[tuple[str, str], Verified], list[Finding]]:
    """(submission, task) -> how far it was recomputed, and what does not hold; what was not checked yet as it is now
    is checked, from its scores."""
    told: dict[tuple[str, str], Verified] = {}
    findings: list[Finding] = []
    names = board.ids()
    with (progress or Silent()).stage("checking", len(names)) as advance:
        for name in names:
            known = _noted(board, name)
            if known is None:
                found = check(board, name)
                findings += found.findings
                known = found.verified
            told |= {(name, task): how for task, how in known.items()}
            advance(1)
    return told, findings


def _noted(board: BoardFolder, submission: str) -> dict[str, Verified] | None:
    try:
        content = json.loads((board.place(submission) / CHECKED).read_text(encoding="utf-8"))
        same = content["files"] == _digests(board, submission)
        return dict(content["verified"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digests(board: BoardFolder, submission: str) -> dict[str, str]:
    """The files of a submission but the note itself, and what the board demands."""
    place: Path = board.place(submission)
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.name != CHECKED)
    rules = board.rules.model_dump_json()
    return {**{path.relative_to(place).as_posix(): digest(path) for path in files}, "rules": rules}
