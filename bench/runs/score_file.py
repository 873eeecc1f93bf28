"""``score``: a file of answers becomes a run folder with one task, scored like any other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m3dbench.data.answers import AnswerFile
from m3dbench.data.dataset import DataSource
from m3dbench.data.files import DataFiles
from m3dbench.data.manifest import Manifest, parts_of, write_manifest
from m3dbench.data.mask_files import read_mask_file
from m3dbench.errors import DataError, ExitCode, UserError
from m3dbench.metrics.box_convention import BoxConvention
from m3dbench.metrics.pairs import DEFAULT_GRID
from m3dbench.progress import Progress
from m3dbench.runs import facts, lock
from m3dbench.runs.engine import Settings, make_metrics, test_set
from m3dbench.runs.folder import RunFolder, TaskFolder
from m3dbench.runs.from_file import Counts, Grid, journal_answers, rows_as_samples
from m3dbench.runs.pairs import PairMaker, stored_masks
from m3dbench.runs.score_task import score_task
from m3dbench.runs.summary import TaskSummary
from m3dbench.task import Task

HERE = "."


@dataclass(frozen=True)
class FileJob:
    """What to score: the file, the task, the data that holds the references (None: the rows do), the model's name."""

    answers: AnswerFile
    task: Task[Any]
    source: DataSource | None
    model: str
    convention: BoxConvention
    require_complete: bool = False


def score_file(job: FileJob, out: Path, settings: Settings, progress: Progress) -> tuple[TaskSummary, list[str]]:
    """Score the file into ``out``, replacing an earlier scoring there; returns the summary and notes for the user.

    Raises UserError for unusable rows, for incomplete ids under ``require_complete``, and when nothing can be scored.
    """
    task = job.task
    if task.answer == "embedding":
        raise UserError(
            "embeddings are not scored from a file of answers",
            file=job.answers.path,
            fix=f"m3dbench run --task {task.name} --model replay --model-option file=EMBEDDINGS.npz --data DIR",
        )
    if job.source is None and task.answer == "mask" and job.answers.from_reference_script:
        raise UserError(
            "this CSV holds Dice values and texts, but no masks: there is nothing to score",
            file=job.answers.path,
            fix="write JSON lines with mask paths in `prediction` and `reference`",
            code=ExitCode.NOTHING_TO_SCORE,
        )
    run = RunFolder.create(out)
    metrics = make_metrics(task, settings)
    with lock.hold(run.path):
        run.begin()
        manifest, counts = _journal(job, run, settings, progress)
        if job.require_complete and any(counts.to_json().values()):
            told = ", ".join(f"{number} {kind}" for kind, number in counts.to_json().items() if number)
            examples = ", ".join(f"{kind}: {sample}" for kind, sample in counts.examples.items())
            raise UserError(f"the ids are not complete: {told}", file=job.answers.path, record=examples, field="id")
        root = job.source.root.path if job.source is not None else job.answers.path.parent
        splits: dict[str, str] = {}
        asked: dict[str, Any] = {}
        if job.source is not None:
            parts = parts_of(task, job.source, settings.parts)
            splits = job.source.splits(task.records, parts)
            asked = settings.asked(parts)
        about = {
            "test_set": settings.split if job.source is not None else job.answers.path.name,
            "title": task.title,
            "data": job.source.root.kind if job.source is not None else "file",
            "data_root": str(root.resolve()),
            "splits": splits,
            "model": job.model,
            "role": "model",
        }
        comparable = facts.of_scores(
            task.name, task.version, manifest.comparable, manifest.information, metrics, splits=splits
        )
        resume = {"task": task.name, "task_version": task.version, "manifest": manifest.digest, "model": job.model}
        resume |= asked
        strata = settings.strata
        recorded = {"strata": strata.to_json()} if strata is not None else {}
        known = facts.Facts(resume, comparable, {"libraries": facts.libraries(), "model": {}, **recorded})
        if strata is not None:
            strata.refuse_foreign(manifest, task.name)
        run.record(task.name, known, status="running", folder=HERE, about=about)
        files = DataFiles(root)
        pairs = None if job.source is not None else _own_pairs(root, run.path)
        summary = score_task(
            task,
            manifest,
            files,
            TaskFolder(run.path),
            metrics,
            about,
            ids=counts.to_json(),
            pairs=pairs,
            strata=strata,
            progress=progress,
        )
        run.record(task.name, known, status="complete", folder=HERE, about=about)
    if all(item.micro.n_scored + item.micro.n_failed == 0 for item in summary.metrics):
        raise UserError("nothing could be scored", file=job.answers.path, code=ExitCode.NOTHING_TO_SCORE)
    notes = [f"{job.answers.path.name} holds no {what}" for what in job.answers.lacks] if job.source is None else []
    return summary, [*notes, *_id_notes(counts)]


def _journal(job: FileJob, run: RunFolder, settings: Settings, progress: Progress) -> tuple[Manifest, Counts]:
    task = job.task
    path = run.path / "manifest.jsonl"
    if job.source is None:
        with progress.stage(f"{task.name}: reading answers", None) as advance:
            manifest = write_manifest(rows_as_samples(job.answers, task.answer, job.convention), path)
            counts = journal_answers(job.answers, task.answer, None, run.path, job.convention, advance)
        return manifest, counts
    files = DataFiles(job.source.root.path)
    manifest = test_set(task, job.source, settings, path, progress)
    known: dict[str, Grid] = {sample.id: files.grid(sample.volume) or DEFAULT_GRID for sample in manifest}
    with progress.stage(f"{task.name}: reading answers", None) as advance:
        counts = journal_answers(job.answers, task.answer, known, run.path, job.convention, advance)
    return manifest, counts


def _own_pairs(root: Path, run: Path) -> PairMaker:
    """Pairs whose reference masks are the user's own files."""

    def spacing(path: str) -> tuple[float, float, float] | None:
        try:
            return read_mask_file(root, path).spacing
        except DataError:
            return None

    return PairMaker(
        reference_mask=lambda ref: read_mask_file(root, ref.path).mask,
        predicted_mask=stored_masks(run),
        spacing=lambda sample: spacing(sample.reference.mask.path) if sample.reference.mask is not None else None,
    )


def _id_notes(counts: Counts) -> list[str]:
    told = {
        "missing": "samples of the test set have no answer and count as failed",
        "duplicate": "ids came more than once; the first answer counts",
        "unknown": "ids belong to no sample of the test set and are left out",
    }
    return [
        f"{number} {told[kind]} (for example {counts.examples[kind]})"
        for kind, number in counts.to_json().items()
        if number
    ]
