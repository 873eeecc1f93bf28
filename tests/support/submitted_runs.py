"""Scored answers as run folders, made in this process, for tests of leaderboards."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

from tests_support import write_jsonl

from m3dbench import registry
from m3dbench.data.answers import AnswerFile
from m3dbench.data.manifest import samples_of
from m3dbench.metrics.box_convention import BoxConvention
from m3dbench.progress import Silent
from m3dbench.runs.engine import Settings, open_data
from m3dbench.runs.folder import RunFolder
from m3dbench.runs.score_file import FileJob, score_file
from m3dbench.task import Asking

TASK = "vqa_closed"


def real_data(phantom: Path, place: Path) -> Path:
    """The phantom's questions under a marker that does not say so: a user's data, without volumes."""
    place.mkdir()
    shutil.copytree(phantom / "M3D-VQA", place / "M3D-VQA")
    marker = json.loads((phantom / "m3dbench-data.json").read_text())
    (place / "m3dbench-data.json").write_text(json.dumps({**marker, "kind": "unmarked"}))
    return place


def scored(
    data: Path, out: Path, share: float, *, seed: int = 0, model: str = "", settings: Settings | None = None,
    wrong: str = "", text: str = "",
) -> RunFolder:  # fmt: skip
    """A run whose answers are right with a chance of ``share``, decided alike for alike seeds. wrong: said instead of
    another choice. text: said after each answer."""
    source = open_data(data)
    settings = settings or Settings()
    rows: list[dict[str, Any]] = []
    task = registry.create("tasks", TASK)
    for sample in samples_of(task, source, "test", Asking(settings.seed, lambda _: None), None):
        luck = random.Random(f"{seed}/{sample.id}").random()
        other = wrong or next(letter for letter in sample.request.choices if letter != sample.reference.choice)
        rows.append({"id": sample.id, "prediction": (sample.reference.choice if luck < share else other) + text})
    out.parent.mkdir(exist_ok=True, parents=True)
    file = AnswerFile(write_jsonl(out.with_suffix(".jsonl"), rows))
    job = FileJob(file, task, source, model or out.name, BoxConvention())
    score_file(job, out, settings, Silent())
    return RunFolder.open(out)


def edit(path: Path, *place: str | int, value: Any) -> None:
    """Change one field of a JSON document."""
    content = json.loads(path.read_text())
    inner = content
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    path.write_text(json.dumps(content))
