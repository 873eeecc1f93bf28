"""Reading a run back as pandas objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from m3dbench.data.prediction import StoredPrediction
from m3dbench.errors import UserError
from m3dbench.runs import jsonl
from m3dbench.runs.embeddings import read_embedding
from m3dbench.runs.folder import RunFolder, TaskFolder
from m3dbench.runs.masks import read_mask


@dataclass(frozen=True)
class Run:
    """A run folder, read lazily.

    facts: ``run.json``. summary: ``summary.json``, plain values.
    """

    path: Path
    facts: Mapping[str, Any]
    summary: Mapping[str, Any]

    @property
    def tasks(self) -> list[str]:
        return list(self.facts["tasks"])

    def samples(self, task: str | None = None) -> pd.DataFrame:
        """One row a sample: task, id, case, wording, the reference's fields, and a column per stratum dimension."""
        return self._frame(task, lambda folder: folder.manifest, _flat_sample)

    def predictions(self, task: str | None = None) -> pd.DataFrame:
        """One row a prediction: task, id, status, text, box, absent, reason; arrays through ``mask``, ``embedding``."""
        return self._frame(task, lambda folder: folder.predictions, lambda row: row)

    def scores(self, task: str | None = None) -> pd.DataFrame:
        """One row per sample, scoring and metric: task, id, scoring, metric, value, status, reason."""
        return self._frame(task, lambda folder: folder.scores, lambda row: row)

    def values(self) -> pd.DataFrame:
        """The summary as a table: one row per task, scoring, metric and subset (empty dimension: all samples).

        ``control`` names what the model was shown instead of the data, empty for results.
        """
        rows = []
        for task, summary in self.summary["tasks"].items():
            control = (summary.get("control") or {}).get("name", "")
            for metric in summary["metrics"]:
                key = {"task": task, "control": control, "scoring": metric["scoring"], "metric": metric["metric"]}
                rows.append({**key, "dimension": "", "stratum": "", **_flat_value(metric["micro"])})
                if metric["macro"]:
                    macro = {"dimension": metric["macro"]["dimension"], "stratum": "(macro)"}
                    rows.append({**key, **macro, **_flat_value(metric["macro"])})
                for dimension, cells in metric["strata"].items():
                    rows += [
                        {**key, "dimension": dimension, "stratum": name, **_flat_value(cell)}
                        for name, cell in cells.items()
                    ]
        return pd.DataFrame(rows)

    def mask(self, task: str, sample_id: str) -> npt.NDArray[np.bool_] | None:
        """The predicted mask (D, H, W) of a sample, None where the model gave none. Raises UserError on unknown ids."""
        record = self._prediction(task, sample_id).mask
        return None if record is None else read_mask(self._folder(task).masks, record)

    def embedding(self, task: str, sample_id: str) -> npt.NDArray[np.float32] | None:
        """The embeddings (views + 1, dimensions) of a sample's image and, last, its text; None where there are none.

        Raises UserError on unknown ids.
        """
        record = self._prediction(task, sample_id).embedding
        return None if record is None else read_embedding(self._folder(task).embeddings, record)

    def _prediction(self, task: str, sample_id: str) -> StoredPrediction:
        path = self._folder(task).predictions
        for row in jsonl.read(path):
            if row["id"] == sample_id:
                return StoredPrediction.from_json(row)
        raise UserError(f"there is no prediction with the id {sample_id!r}", file=path)

    def _folder(self, task: str) -> TaskFolder:
        if task not in self.facts["tasks"]:
            raise UserError(f"the run has no task {task!r}", file=self.path, fix=f"it has: {', '.join(self.tasks)}")
        return TaskFolder(self.path / self.facts["tasks"][task]["folder"])

    def _frame(
        self, task: str | None, file: Callable[[TaskFolder], Path], flat: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> pd.DataFrame:
        names = [task] if task is not None else self.tasks
        return pd.DataFrame(
            [{"task": name, **flat(row)} for name in names for row in jsonl.read(file(self._folder(name)))]
        )


def load_run(path: str | Path) -> Run:
    """Open a folder that ``m3dbench run`` or ``m3dbench score`` wrote.

    Raises UserError when there is no run, or none that is finished.
    """
    folder = RunFolder.open(Path(path))
    summary = folder.path / "summary.json"
    if not summary.is_file():
        raise UserError(
            "the run is not finished: it has no summary yet", file=folder.path, fix="start it again to resume it"
        )
    return Run(folder.path, folder.content(), json.loads(summary.read_text(encoding="utf-8")))


def _flat_sample(row: dict[str, Any]) -> dict[str, Any]:
    reference = {f"reference_{name}": value for name, value in row["reference"].items()}
    return {
        "id": row["id"],
        "case": row["case"],
        **row.get("strata", {}),
        "wording": row["request"].get("wording", ""),
        **reference,
    }


def _flat_value(value: Mapping[str, Any]) -> dict[str, Any]:
    interval = value.get("interval") or {}
    flat = {name: content for name, content in value.items() if name not in ("interval", "dimension", "strata")}
    return {**flat, "low": interval.get("low"), "high": interval.get("high")}
