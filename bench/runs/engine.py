"""One task on one model: manifest, predictions, scores, summary. Knows no task and no model by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from m3dbench import registry
from m3dbench.adapter import Adapter, Context, Known
from m3dbench.data.dataset import DataRoot, DataSource
from m3dbench.data.files import DataFiles
from m3dbench.data.manifest import Manifest, parts_of, samples_of, write_manifest
from m3dbench.data.prediction import StoredPrediction
from m3dbench.data.sample import Sample
from m3dbench.data.strata import Strata
from m3dbench.data.variants import DIMENSION, variant_count
from m3dbench.errors import ExitCode, UserError
from m3dbench.metrics.core import Metric
from m3dbench.metrics.pairs import DEFAULT_GRID
from m3dbench.progress import Progress, Silent
from m3dbench.runs import control, facts, jsonl
from m3dbench.runs.folder import SCHEMA, RunFolder, TaskFolder
from m3dbench.runs.gallery import Gallery
from m3dbench.runs.journal import Rows
from m3dbench.runs.pairs import PairMaker, stored_masks
from m3dbench.runs.predict import PredictOptions, predict
from m3dbench.runs.reasons import Reasons
from m3dbench.runs.scoring import Metrics, score
from m3dbench.runs.summary import ControlSummary, TaskSummary, count_statuses, summarise
from m3dbench.task import SCORINGS, Asking, Scoring, Task
from m3dbench.wording import Wordings


@dataclass(frozen=True)
class Settings:
    """What a run is asked to do.

    split: test set by name. parts: sub-datasets, None for the task's default. limit: the first n samples.
    words: how samples are worded. variants: wordings a sample, of those that a task has.
    metric_options: metric entry point -> keyword options. extra_metrics: further names, judged under ``corrected``.
    control: one of ``m3dbench.runs.control.CONTROLS``, empty for the plain run. strata: told of samples from outside;
    they part the scores and touch no prediction.
    """

    split: str = "test"
    parts: Collection[str] | None = None
    limit: int | None = None
    seed: int = 0
    words: Wordings = field(default_factory=Wordings)
    variants: int = 1
    scorings: tuple[Scoring, ...] = SCORINGS
    metric_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    extra_metrics: tuple[str, ...] = ()
    control: str = ""
    strata: Strata | None = None
    predict: PredictOptions = field(default_factory=PredictOptions)

    def asked(self, parts: Collection[str] | None) -> dict[str, Any]:
        """What decides the samples and their wording, for the resume set."""
        return {
            "test_set": self.split,
            "datasets": sorted(parts) if parts is not None else None,
            "limit": self.limit,
            "seed": self.seed,
            "requests": self.words.requests,
            "templates": self.words.digest,
            "prompt_variants": self.variants,
            "control": self.control,
        }


def open_data(path: Path) -> DataSource:
    """The data sets at a directory. Raises UserError when it holds none that any reader knows."""
    root = DataRoot.open(path)
    readers = tuple(registry.create("datasets", name) for name in registry.available("datasets"))
    found = tuple(reader for reader in readers if reader.detect(root))
    if not found:
        raise UserError(
            "no known data set was found in the directory",
            file=path,
            fix=f"expected one of: {', '.join(reader.name for reader in readers)} (layout: docs/data.md)",
        )
    return DataSource(root, found)


def make_metrics(task: Task[Any], settings: Settings) -> dict[Scoring, list[Metric]]:
    """The metrics of a task under the chosen scorings."""
    made: dict[Scoring, list[Metric]] = {}
    for scoring in settings.scorings:
        names = [*task.metrics[scoring], *(settings.extra_metrics if scoring == "corrected" else ())]
        options = settings.metric_options
        made[scoring] = [registry.create("metrics", name, options.get(name, {})) for name in dict.fromkeys(names)]
    return made


def run_task(
    task: Task[Any],
    adapter: Adapter,
    source: DataSource,
    run: RunFolder,
    settings: Settings,
    progress: Progress | None = None,
) -> TaskSummary:
    """Predict and score one task; the caller holds the folder's lock. Resumes what an earlier start left."""
    progress = progress or Silent()
    control.check(settings.control, task.name, task.answer)
    files = DataFiles(source.root.path)
    ask = Asking(settings.seed, files.mask, settings.words)
    variants = variant_count(task, settings.words, settings.variants)
    left_out = settings.words.left_out((*task.slots, *task.answers))
    limit = settings.limit * variants if settings.limit is not None else None
    parts = parts_of(task, source, settings.parts)
    metrics = make_metrics(task, settings)
    folder = TaskFolder(run.path / task.name)
    folder.path.mkdir(exist_ok=True)
    with progress.stage(f"{task.name}: test set", limit) as advance:
        questions = control.asked(settings.control, source, settings.seed)
        samples = samples_of(task, questions, settings.split, ask, parts, variants)
        draft = write_manifest(samples, folder.path / "manifest.next.jsonl", limit=limit, advance=lambda _: advance(1))
    resume = facts.of_predictions(task, adapter, draft, settings.asked(parts))
    earlier = run.earlier(task.name)
    if earlier is not None:
        try:
            facts.refuse_difference(run.path, earlier, resume)
        except UserError:
            draft.path.unlink()
            raise
    manifest = replace(draft, path=folder.manifest)
    draft.path.replace(manifest.path)
    try:
        if settings.strata is not None:
            settings.strata.refuse_foreign(manifest, task.name)
        seen = control.shown(settings.control, files, manifest, settings.seed)
        with progress.stage(f"{task.name}: preparing {adapter.name}", None):
            adapter.prepare(_context(task, adapter, source, settings, manifest, files, seen, ask, parts))
    except UserError:
        if earlier is None:
            manifest.path.unlink()
            folder.path.rmdir()
        raise
    about = {
        "test_set": settings.split,
        "title": task.title,
        "data": source.root.kind,
        "data_root": str(source.root.path.resolve()),
        "model": adapter.name,
        "role": adapter.role,
        **({"control": settings.control} if settings.control else {}),
    }
    comparable = facts.of_scores(
        task.name, task.version, manifest.comparable, manifest.information, metrics, settings.control
    )
    recorded = {"libraries": facts.libraries(), "model": dict(adapter.recorded())}
    if settings.strata is not None:
        recorded["strata"] = settings.strata.to_json()
    if left_out:
        recorded["templates_never_drawn"] = left_out
    known = facts.Facts(resume, comparable, recorded)
    run.record(task.name, known, status="running", folder=task.name, about=about)
    with progress.stage(f"{task.name}: predicting", manifest.samples) as advance:
        predict(task, adapter, manifest, seen, folder, settings.predict, advance)
    summary = score_task(task, manifest, files, folder, metrics, about, strata=settings.strata, progress=progress)
    run.record(task.name, known, status="complete", folder=task.name, about=about)
    return summary


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

    def prediction_of(sample_id: str) -> StoredPrediction | None:
        row = rows.get(sample_id)
        return None if row is None else StoredPrediction.from_json(row)

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
    reasons = Reasons()
    for sample in manifest:
        row = rows.get(sample.id) or {"status": "missing"}
        statuses[str(row["status"])] += 1
        if row.get("reason"):
            reasons.add(row["reason"])
    excluded = Counter(sample.excluded for sample in manifest if sample.excluded)
    notes = Counter(sample.note for sample in manifest if sample.note)
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
            ids=dict(ids or {}),
            metrics=summarise(tallies, task.macro, _variants_of(manifest)),
            excluded=dict(sorted(excluded.items())),
            repaired=dict(sorted(notes.items())),
            control=ControlSummary(str(about["control"])) if about.get("control") else None,
            apart=strata.dimensions if strata is not None else (),
            prediction_reasons=reasons.to_json(),
        )
    write_summary(folder, summary)
    return summary


def _variants_of(manifest: Manifest) -> str:
    """The stratum dimension of the wordings, empty where each sample has one."""
    return DIMENSION if next(iter(manifest)).base else ""


def write_summary(folder: TaskFolder, summary: TaskSummary) -> None:
    """Replace a task's ``summary.json``, atomically."""
    jsonl.write_document(folder.summary, {"schema": SCHEMA, "tasks": {summary.task: summary.to_json()}})


def _context(
    task: Task[Any],
    adapter: Adapter,
    source: DataSource,
    settings: Settings,
    manifest: Manifest,
    files: DataFiles,
    seen: DataFiles,
    ask: Asking,
    parts: Collection[str] | None,
) -> Context:
    """``files`` are the train split's, ``seen`` the test set's as a control shows them."""

    def reveal(sample: Sample, files: DataFiles) -> Known:
        return Known(
            sample.reference,
            mask=lambda: files.mask(sample.reference.mask),
            volume=lambda: files.volume(sample.volume),
        )

    def train() -> Iterator[tuple[Sample, Known]]:
        empty = True
        for sample in samples_of(task, source, "train", ask, parts):
            empty = False
            yield sample, reveal(sample, files)
        if empty:
            raise UserError(
                f"{adapter.name} learns from a train split, and the data has none for {task.name}",
                file=source.root.path,
                fix="choose another model, or data with a train split",
                code=ExitCode.NOTHING_TO_SCORE,
            )

    revealed: dict[str, Known] = {}

    def known(sample_id: str) -> Known:
        if not revealed:
            revealed.update((sample.id, reveal(sample, seen)) for sample in manifest)
        return revealed[sample_id]

    return Context(task.name, task.answer, settings.seed, train, known if adapter.reads_reference else None)
