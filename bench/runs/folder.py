"""The run folder: ``run.json`` at the top, and one folder a task with manifest, journal, arrays, scores and summary.

Everything in it is the same bytes however often the run was interrupted, but ``sessions.jsonl``, ``timings.jsonl`` and
what an adapter keeps of a paid endpoint (``replies.jsonl``, ``usage.jsonl``), which hold what happened when.
"""

from __future__ import annotations

import datetime
import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m3dbench.errors import UserError
from m3dbench.runs import jsonl
from m3dbench.runs.facts import Facts

SCHEMA = 1
OWN_AT_START = ("lock", "run.json", "sessions.jsonl")


@dataclass(frozen=True)
class TaskFolder:
    """Where one task's files lie."""

    path: Path

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.jsonl"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.jsonl"

    @property
    def masks(self) -> Path:
        return self.path / "masks"

    @property
    def embeddings(self) -> Path:
        return self.path / "embeddings"

    @property
    def timings(self) -> Path:
        return self.path / "timings.jsonl"

    @property
    def replies(self) -> Path:
        return self.path / "replies.jsonl"

    @property
    def usage(self) -> Path:
        return self.path / "usage.jsonl"

    @property
    def scores(self) -> Path:
        return self.path / "scores.jsonl"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"


class RunFolder:
    """A run folder on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def create(path: Path) -> RunFolder:
        """Make the folder or open one that is there. Raises UserError when the path holds something else."""
        if path.exists() and not path.is_dir():
            raise UserError("is a file; a run needs a folder", file=path, fix="choose another --out")
        if path.is_dir() and any(path.iterdir()) and not (path / "run.json").exists():
            strangers = [item.name for item in path.iterdir() if not item.name.startswith(OWN_AT_START)]
            if strangers:
                raise UserError(
                    f"the folder holds other things ({strangers[0]})", file=path, fix="choose another --out"
                )
        path.mkdir(parents=True, exist_ok=True)
        return RunFolder(path)

    @staticmethod
    def open(path: Path) -> RunFolder:
        """Open a run for reading. Raises UserError when there is none."""
        if not (path / "run.json").is_file():
            raise UserError(
                "there is no run here (run.json is missing)", file=path, fix="give a folder that run or score wrote"
            )
        return RunFolder(path)

    def content(self) -> dict[str, Any]:
        """``run.json``, or an empty one."""
        path = self.path / "run.json"
        if not path.exists():
            return {"schema": SCHEMA, "tasks": {}}
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content.get("schema") != SCHEMA:
            raise UserError(
                f"the run has schema {content.get('schema')}, this version reads {SCHEMA}",
                file=path,
                fix="read it with the m3dbench version that wrote it",
            )
        return content

    def task(self, name: str) -> TaskFolder:
        """The folder of a task, as ``run.json`` places it."""
        place = self.content()["tasks"].get(name, {}).get("folder", name)
        return TaskFolder(self.path / place)

    def tasks(self) -> list[str]:
        return list(self.content()["tasks"])

    def insist(self, task: str) -> None:
        """Raises UserError, with the tasks that there are, when the run has not this one."""
        if task not in self.tasks():
            raise UserError(f"the run has no task {task!r}", file=self.path, fix=f"it has: {', '.join(self.tasks())}")

    def earlier(self, task: str) -> Mapping[str, Any] | None:
        """The resume set of an earlier start of this task."""
        entry = self.content()["tasks"].get(task)
        return None if entry is None else entry["facts"]["resume"]

    def record(self, task: str, facts: Facts, *, status: str, folder: str, about: Mapping[str, Any]) -> None:
        """Put a task's facts and status into ``run.json``, atomically, and make its folder."""
        content = self.content()
        content["tasks"][task] = {"status": status, "folder": folder, **about, "facts": facts.to_json()}
        content["tasks"] = dict(sorted(content["tasks"].items()))
        (self.path / folder).mkdir(exist_ok=True)
        jsonl.write_document(self.path / "run.json", content)

    def begin(self) -> None:
        """Under the lock, before anything else: mark the folder as a run and note who writes now.

        ``sessions.jsonl`` is the one place that holds times and hosts.
        """
        if not (self.path / "run.json").exists():
            jsonl.write_document(self.path / "run.json", self.content())
        self.note({"host": socket.gethostname(), "pid": os.getpid(), "command": sys.argv})

    def note(self, row: Mapping[str, Any]) -> None:
        """A line in ``sessions.jsonl`` with the time."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        with (self.path / "sessions.jsonl").open("ab") as stream:
            stream.write(jsonl.line({"started": now, **row}))

    def summaries(self) -> dict[str, dict[str, Any]]:
        """Task -> its summary, of the tasks that are finished."""
        found: dict[str, dict[str, Any]] = {}
        for name in self.tasks():
            path = self.task(name).summary
            if path.exists():
                found.update(json.loads(path.read_text(encoding="utf-8"))["tasks"])
        return found

    def merge_summaries(self) -> dict[str, Any]:
        """Write the top ``summary.json`` from those of the tasks and return it."""
        merged: dict[str, Any] = {"schema": SCHEMA, "tasks": self.summaries()}
        jsonl.write_document(self.path / "summary.json", merged)
        return merged
