"""Scoring one task's stored predictions: ``scores.jsonl``, the counts behind it, and the summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from m3dbench.data.files import DataFiles
from m3dbench.data.manifest import Manifest
from m3dbench.data.strata import Strata
from m3dbench.data.variants import dimension_of
from m3dbench.metrics.pairs import DEFAULT_GRID
from m3dbench.progress import Progress, Silent
from m3dbench.runs import jsonl
from m3dbench.runs.folder import SCHEMA, TaskFolder
from m3dbench.runs.gallery import Gallery
from m3dbench.runs.journal import Rows, predictions
from m3dbench.runs.pairs import PairMaker, stored_masks
from m3dbench.runs.reasons import Reasons
from m3dbench.runs.scoring import Metrics, score
from m3dbench.runs.summary import ControlSummary, TaskSummary, count_statuses, summarise
from m3dbench.task import Task


def score_task(
    task: Task[Any],
    manifest: Manifest,
    files: DataFiles,
    folder: TaskFolder,
    metrics: Metrics,
    about: Mapping[str, Any],
    *,
    ids: Mapping[str, int] | None = None,
    pairs: PairMaker | None = None,
    strata: Strata | None = None,
    progress: Progress | None = None,
) -> TaskSummary:
    """Score the journal of a task folder against its manifest; write ``scores.jsonl`` and ``summary.json``."""
    rows = Rows(folder.predictions)
    prediction_of = predictions(rows)
    maker = pairs or PairMaker(
        reference_mask=files.mask,
        predicted_mask=stored_masks(folder.path),
        grid=lambda sample: files.grid(sample.volume) or DEFAULT_GRID,
        spacing=lambda sample: files.spacing(sample.volume),
        gallery=Gallery(manifest, prediction_of, folder.embeddings).pair,
    )
    progress = progress or Silent()
    with progress.stage(f"{task.name}: scoring", manifest.samples) as advance:
        further = strata.of if strata is not None else lambda _: {}
        tallies = score(manifest, prediction_of, task.answer, metrics, maker, folder.scores, advance, further)
    statuses: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    reasons = Reasons()
    for sample in manifest:
        row = rows.get(sample.id) or {"status": "missing"}
        statuses[str(row["status"])] += 1
        answers.update(row.get("notes", ()))
        if row.get("reason"):
            reasons.add(row["reason"])
    excluded = Counter(sample.excluded for sample in manifest if sample.excluded)
    repaired = Counter(sample.note for sample in manifest if sample.note)
    rows.close()
    with progress.stage(f"{task.name}: intervals", None):
        summary = TaskSummary(
            task=task.name,
            version=task.version,
            title=task.title,
            model=str(about["model"]),
            role=str(about["role"]),
            test_set=str(about["test_set"]),
            data=str(about["data"]),
            samples=manifest.samples,
            cases=manifest.cases,
            primary=task.primary,
            predictions=count_statuses(statuses),
            notes=dict(sorted(answers.items())),
            ids=dict(ids or {}),
            metrics=summarise(tallies, task.macro, dimension_of(manifest)),
            excluded=dict(sorted(excluded.items())),
            repaired=dict(sorted(repaired.items())),
            control=ControlSummary(str(about["control"])) if about.get("control") else None,
            splits=about.get("splits", {}),
            apart=strata.dimensions if strata is not None else (),
            prediction_reasons=reasons.to_json(),
        )
    write_summary(folder, summary)
    return summary


def write_summary(folder: TaskFolder, summary: TaskSummary) -> None:
    """Replace a task's ``summary.json``, atomically."""
    jsonl.write_document(folder.summary, {"schema": SCHEMA, "tasks": {summary.task: summary.to_json()}})
