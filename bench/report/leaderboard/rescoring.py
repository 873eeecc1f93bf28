"""Scoring submitted predictions again, against the references of a data directory."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m3dbench import registry
from m3dbench.data.dataset import DataSource
from m3dbench.data.files import DataFiles
from m3dbench.data.manifest import Manifest, canonical
from m3dbench.errors import UserError
from m3dbench.metrics.core import Metric
from m3dbench.report.leaderboard.answers import read_answers
from m3dbench.report.leaderboard.submission import SubmittedTask
from m3dbench.runs.engine import Settings, make_metrics, test_set
from m3dbench.runs.folder import TaskFolder
from m3dbench.runs.score_task import score_task
from m3dbench.runs.summary import TaskSummary
from m3dbench.task import Scoring, Task
from m3dbench.wording import Wordings

ASKED = ("test_set", "datasets", "limit", "seed", "requests", "prompt_variants")


@dataclass
class Rescorer:
    """Data directories, and the test sets made from them so far. words: of ``--requests upstream``, where given.
    place: a temporary folder."""

    sources: Sequence[DataSource]
    place: Path
    words: Wordings | None = None
    _made: dict[str, tuple[Manifest, DataSource] | str] = field(default_factory=dict)

    def rescore(self, name: str, part: SubmittedTask, folder: Path) -> tuple[TaskSummary, Path, set[tuple[str, str]]]:
        """The summary of the predictions scored again, the scores per sample, and the (scoring, metric) that were
        judged by the same rules as in the submission.

        Raises UserError where that cannot be done here: no predictions, other data, templates not given.
        """
        if part.predictions is None:
            raise UserError("no predictions were submitted")
        task: Task[Any] = registry.create("tasks", name)
        manifest, source = self._test_set(task, part)
        work = self.place / "task"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        target = TaskFolder(work)
        target.predictions.write_bytes(read_answers(folder / part.predictions.path)[0])
        for array in part.arrays:
            kind, _, shard = array.path.partition("/")
            (work / kind.rpartition(".")[2]).mkdir(exist_ok=True)
            shutil.copyfile(folder / array.path, work / kind.rpartition(".")[2] / shard)
        metrics, same = _metrics(task, part)
        about = {field: getattr(part.summary, field) for field in ("model", "role", "test_set", "data", "splits")}
        summary = score_task(task, manifest, DataFiles(source.root.path), target, metrics, about)
        return summary, target.scores, same

    def _test_set(self, task: Task[Any], part: SubmittedTask) -> tuple[Manifest, DataSource]:
        asked = {name: part.facts.resume.get(name) for name in ASKED}
        stated = (part.facts.comparable.get("manifest"), part.facts.comparable.get("requests"))
        key = canonical([task.name, asked, stated])
        if key not in self._made:
            self._made[key] = self._make(task, asked, stated, len(self._made))
        made = self._made[key]
        if isinstance(made, str):
            raise UserError(made)
        return made

    def _make(
        self, task: Task[Any], asked: Mapping[str, Any], stated: tuple[Any, Any], number: int
    ) -> tuple[Manifest, DataSource] | str:
        if None in (asked["test_set"], asked["seed"], asked["prompt_variants"]):
            return "the run does not say how its test set was made"
        words = Wordings()
        if asked["requests"] == "upstream":
            if self.words is None:
                return "its requests are worded as upstream: give --templates"
            words = self.words
        parts = tuple(asked["datasets"]) if asked["datasets"] is not None else None
        settings = Settings(
            split=asked["test_set"],
            parts=parts,
            limit=asked["limit"],
            seed=asked["seed"],
            words=words,
            variants=asked["prompt_variants"],
        )
        why = "no --data was given"
        for place, source in enumerate(self.sources):
            try:
                manifest = test_set(task, source, settings, self.place / f"manifest-{number}-{place}.jsonl")
            except UserError as error:
                why = f"the test set cannot be made from {source.root.path}: {error.message}"
                continue
            if (manifest.comparable, manifest.information) == stated:
                return manifest, source
            why = f"{source.root.path} holds other samples, references or requests"
        return why


def _metrics(task: Task[Any], part: SubmittedTask) -> tuple[dict[Scoring, list[Metric]], set[tuple[str, str]]]:
    """Metrics to score with, and those of them that are the submission's by signature."""
    recorded: Mapping[str, Mapping[str, str]] = part.facts.comparable["scoring"]
    known = registry.available("metrics")
    extra = tuple(name for name in recorded.get("corrected", ()) if name in known)
    scorings = tuple(scoring for scoring in task.metrics if scoring in recorded)
    made = make_metrics(task, Settings(scorings=scorings, extra_metrics=extra))
    chosen = {
        scoring: [item for item in found if recorded.get(scoring, {}).get(item.name) == item.signature]
        for scoring, found in made.items()
    }
    return chosen, {(scoring, item.name) for scoring, found in chosen.items() for item in found}
