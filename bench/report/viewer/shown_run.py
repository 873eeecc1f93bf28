"""One run as the viewer reads it: per task the manifest, answers, scores and judgements, each row when it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from m3dbench.data.files import DataFiles, inside
from m3dbench.data.prediction import StoredPrediction
from m3dbench.data.sample import Sample
from m3dbench.judge.folder import JudgeFolder, read_records
from m3dbench.judge.items import pair_of
from m3dbench.report.viewer.score_rows import ScoreRows
from m3dbench.runs.folder import RunFolder, TaskFolder
from m3dbench.runs.journal import Rows


class ShownRun:
    """A run folder. data: the data directory, the one that the run names if None."""

    def __init__(self, path: Path, data: Path | None = None) -> None:
        self.folder = RunFolder.open(path)
        self.name = path.resolve().name
        self.entries: Mapping[str, Mapping[str, Any]] = self.folder.content()["tasks"]
        self.summaries = self.folder.summaries()
        self._data = data
        self._tasks: dict[str, ShownTask] = {}

    def task(self, name: str) -> ShownTask:
        """A task of this run; its files are looked through at the first call. Raises KeyError for another name."""
        if name not in self._tasks:
            entry = self.entries[name]
            root = self._data or Path(str(entry.get("data_root", "")))
            folder = TaskFolder(inside(self.folder.path, str(entry.get("folder", name))))
            self._tasks[name] = ShownTask(folder, entry, self.summaries.get(name, {}), root)
        return self._tasks[name]


class ShownTask:
    """One task of a run; not for use by several threads.

    entry: what ``run.json`` says of it. summary: its summary, empty while there is none. root: the data directory,
    which need not be there any more.
    """

    def __init__(self, folder: TaskFolder, entry: Mapping[str, Any], summary: Mapping[str, Any], root: Path) -> None:
        self.folder, self.entry, self.summary, self.root = folder, entry, summary, root
        self.files = DataFiles(root, keep=2)
        self._manifest = Rows(folder.manifest)
        self._predictions = Rows(folder.predictions)
        self.ids = list(self._manifest)

    @cached_property
    def _scores(self) -> ScoreRows:
        return ScoreRows(self.folder.scores)

    @cached_property
    def _judgements(self) -> Rows:
        return Rows(JudgeFolder.of(self.folder).journal)

    @property
    def own_masks(self) -> bool:
        """Whether reference masks are files that a user handed in (``m3dbench score`` without ``--data``)."""
        return bool(self.entry.get("data") == "file")

    def sample(self, sample_id: str) -> Sample | None:
        row = self._manifest.get(sample_id)
        return None if row is None else Sample.from_json(row)

    def prediction(self, sample_id: str) -> StoredPrediction | None:
        row = self._predictions.get(sample_id)
        return None if row is None else StoredPrediction.from_json(row)

    def scores(self, sample_id: str) -> list[dict[str, Any]]:
        """Rows of ``scores.jsonl``."""
        return self._scores.get(sample_id)

    def judged(self, sample: Sample, prediction: StoredPrediction) -> list[dict[str, Any]]:
        """What judges said of an answer: metric, model, status, reason, verdict and replies, one a rubric."""
        found = []
        for record in read_records(JudgeFolder.of(self.folder).record):
            row = self._judgements.get(record.judge.key(record.rubric, pair_of(sample, prediction)))
            if row is not None:
                reason = ": ".join(part for part in (row.get("failure", ""), row.get("reason", "")) if part)
                found.append(
                    {
                        "metric": record.rubric.metric,
                        "model": record.judge.model,
                        "status": row["status"],
                        "reason": reason,
                        "verdict": row.get("verdict"),
                        "replies": [reply["text"] for reply in row["replies"]],
                    }
                )
        return found
