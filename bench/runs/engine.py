"""One task on one model: manifest, predictions, scores, summary. Knows no task and no model by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from m3dbench import registry
from m3dbench.adapter import Adapter, Query
from m3dbench.data.dataset import DataRoot, DataSource
from m3dbench.data.files import DataFiles
from m3dbench.data.manifest import Manifest, parts_of, samples_of, write_manifest
from m3dbench.data.strata import Strata
from m3dbench.data.variants import variant_count
from m3dbench.errors import UserError
from m3dbench.metrics.core import Metric
from m3dbench.progress import Progress, Silent
from m3dbench.runs import control, facts
from m3dbench.runs.context import context_of
from m3dbench.runs.folder import RunFolder, TaskFolder
from m3dbench.runs.predict import PredictOptions, predict, query_of
from m3dbench.runs.score_task import score_task
from m3dbench.runs.summary import TaskSummary
from m3dbench.task import SCORINGS, Asking, Scoring, Task
from m3dbench.wording import Wordings

if TYPE_CHECKING:
    from m3dbench.chat.cost import Estimate


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
    left_out = settings.words.left_out((*task.slots, *task.answers))
    parts = parts_of(task, source, settings.parts)
    metrics = make_metrics(task, settings)
    folder = TaskFolder(run.path / task.name)
    folder.path.mkdir(exist_ok=True)
    draft = test_set(task, source, settings, folder.path / "manifest.next.jsonl", progress, ask)
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
            context = context_of(task, adapter, source, settings, manifest, files, seen, ask, parts)
            adapter.prepare(replace(context, folder=folder.path))
    except UserError:
        if earlier is None:
            manifest.path.unlink()
            folder.path.rmdir()
        raise
    splits = source.splits(task.records, parts)
    about = {
        "test_set": settings.split,
        "title": task.title,
        "data": source.root.kind,
        "data_root": str(source.root.path.resolve()),
        "splits": splits,
        "model": adapter.name,
        "role": adapter.role,
        **({"control": settings.control} if settings.control else {}),
    }
    comparable = facts.of_scores(
        task.name,
        task.version,
        manifest.comparable,
        manifest.information,
        metrics,
        settings.control,
        splits,
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
    known = replace(known, recorded={**recorded, "model": dict(adapter.recorded())})
    summary = score_task(task, manifest, files, folder, metrics, about, strata=settings.strata, progress=progress)
    run.record(task.name, known, status="complete", folder=task.name, about=about)
    return summary


def estimate_task(
    task: Task[Any],
    adapter: Adapter,
    source: DataSource,
    settings: Settings,
    done: Collection[str] = (),
    progress: Progress | None = None,
) -> Estimate | None:
    """What a model would take to answer a task's samples beside those done; None where it says nothing of it.

    Nothing is asked, and nothing is written beside temporary files.
    """
    progress = progress or Silent()
    control.check(settings.control, task.name, task.answer)
    files = DataFiles(source.root.path)
    ask = Asking(settings.seed, files.mask, settings.words)
    parts = parts_of(task, source, settings.parts)
    with TemporaryDirectory() as place:
        manifest = test_set(task, source, settings, Path(place) / "manifest.jsonl", progress, ask)
        seen = control.shown(settings.control, files, manifest, settings.seed)
        adapter.prepare(context_of(task, adapter, source, settings, manifest, files, seen, ask, parts))
        with progress.stage(f"{task.name}: estimating", manifest.samples) as advance:

            def queries() -> Iterator[Query]:
                for sample in manifest:
                    advance(1)
                    if sample.id not in done:
                        yield query_of(sample, seen)

            return adapter.estimate(queries())


def test_set(
    task: Task[Any],
    source: DataSource,
    settings: Settings,
    path: Path,
    progress: Progress | None = None,
    ask: Asking | None = None,
) -> Manifest:
    """The manifest of what is asked, written to a path. ``ask``: where the caller words requests himself as well."""
    ask = ask or Asking(settings.seed, DataFiles(source.root.path).mask, settings.words)
    parts = parts_of(task, source, settings.parts)
    variants = variant_count(task, settings.words, settings.variants)
    limit = settings.limit * variants if settings.limit is not None else None
    with (progress or Silent()).stage(f"{task.name}: test set", limit) as advance:
        questions = control.asked(settings.control, source, settings.seed)
        samples = samples_of(task, questions, settings.split, ask, parts, variants)
        return write_manifest(samples, path, limit=limit, advance=lambda _: advance(1))
