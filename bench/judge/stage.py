"""Judging a task of a run: ask what is not judged yet, then bring the scores into the run's files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from m3dbench.chat.client import Client
from m3dbench.chat.cost import Price
from m3dbench.chat.messages import Usage
from m3dbench.data.manifest import canonical, read_samples
from m3dbench.data.variants import dimension_of
from m3dbench.errors import UserError
from m3dbench.judge.folder import JudgeFolder, Record, put_record, read_records, usage
from m3dbench.judge.items import PAIRS, items_of
from m3dbench.judge.lookup import metrics_of
from m3dbench.judge.runner import run_items
from m3dbench.metrics.core import Metric
from m3dbench.progress import Progress, Silent
from m3dbench.runs import jsonl
from m3dbench.runs.folder import RunFolder, TaskFolder
from m3dbench.runs.journal import Rows, predictions
from m3dbench.runs.scoring import score
from m3dbench.runs.summary import JudgeSummary, MetricSummary, summarise
from m3dbench.runs.tally import Tally
from m3dbench.task import SCORINGS, Scoring, Task


@dataclass(frozen=True)
class Joined:
    """What judging adds to a task's summary: values, and what is to be known about each judge."""

    metrics: tuple[MetricSummary, ...]
    judges: tuple[JudgeSummary, ...]


def judge_task(
    run: RunFolder,
    task: Task[Any],
    record: Record,
    client: Client,
    *,
    retry_unscored: bool = False,
    progress: Progress | None = None,
) -> Joined:
    """Judge the answers of a finished task; the caller holds the folder's lock. Resumes what an earlier start left."""
    progress = progress or Silent()
    folder = checked(run, task)
    files = JudgeFolder.of(folder)
    judge, rubric = record.judge, record.rubric
    rows = Rows(folder.predictions)
    keys = [item.key for item in items_of(read_samples(folder.manifest), predictions(rows), judge, rubric)]
    told = _told(task.name, record, client)
    with progress.stage(told, len(keys)) as advance:
        items = items_of(read_samples(folder.manifest), predictions(rows), judge, rubric)
        run_items(items, client, files.journal, advance, retry_unscored=retry_unscored)
    rows.close()
    files.settle(judge.digest(rubric), keys)
    put_record(files.record, record)
    return join(run, task, progress)


def checked(run: RunFolder, task: Task[Any]) -> TaskFolder:
    """The folder of a task that can be judged. Raises UserError when its answers are no texts or not all there."""
    if task.answer != "text":
        raise UserError(f"{task.name} is answered with {task.answer}: there is no text to judge", field="--task")
    folder = run.task(task.name)
    if run.content()["tasks"].get(task.name, {}).get("status") != "complete" or not folder.summary.exists():
        raise UserError(
            f"{task.name} is not finished in this run", file=run.path, fix="repeat the run's command to finish it"
        )
    return folder


def join(run: RunFolder, task: Task[Any], progress: Progress | None = None) -> Joined:
    """Score every judge's journal and put its values into ``scores.jsonl``, ``summary.json`` and ``run.json``.

    Asks nothing: an answer without a judgement is ``unscored``.
    """
    folder = run.task(task.name)
    files = JudgeFolder.of(folder)
    records = read_records(files.record)
    if not records:
        return Joined((), ())
    judged, rows = Rows(files.journal), Rows(folder.predictions)
    metrics: dict[Scoring, list[Metric]] = {scoring: [] for scoring in SCORINGS}
    for record in records:
        for scoring, made in metrics_of(record, judged).items():
            metrics[scoring] += made
    with (progress or Silent()).stage(f"{task.name}: scores of the judge", None) as advance:
        samples, strata = read_samples(folder.manifest), _strata(folder)
        tallies = score(
            samples,
            predictions(rows),
            task.answer,
            metrics,
            PAIRS,
            files.scores,
            advance,
            lambda sample: strata.get(sample.id, {}),
        )
    judged.close()
    rows.close()
    summaries = summarise(tallies, task.macro, dimension_of(read_samples(folder.manifest)))
    about = tuple(_about(record, tallies, files) for record in records)
    names = {metric.name for made in metrics.values() for metric in made}
    _join_scores(folder.scores, files.scores, names)
    content = json.loads(folder.summary.read_text(encoding="utf-8"))
    entry = content["tasks"][task.name]
    entry["metrics"] = [item for item in entry["metrics"] if item["metric"] not in names]
    entry["metrics"] += [asdict(item) for item in summaries]
    entry["judges"] = [asdict(item) for item in about]
    jsonl.write_document(folder.summary, content)
    _join_facts(run, task.name, metrics, records, about)
    run.merge_summaries()
    return Joined(summaries, about)


def _strata(folder: TaskFolder) -> dict[str, Mapping[str, str]]:
    """Strata that the task's scores hold beside the samples' own (those of a stratum file), by sample."""
    return {row["id"]: row["strata"] for row in jsonl.read(folder.scores) if "strata" in row}


def _about(record: Record, tallies: Mapping[Scoring, list[Tally]], files: JudgeFolder) -> JudgeSummary:
    judge, rubric = record.judge, record.rubric
    tally = next(item for item in tallies["corrected"] if item.metric.name == rubric.metric)
    lost = next((item for item in tallies["upstream"] if item.metric.name == rubric.metric), None)
    cell = tally.cells["", ""]
    unscored = cell.counts["unscored"]
    rate = unscored / cell.planned if cell.planned else 0.0
    failures: dict[str, int] = {}
    for reason, count in tally.reasons.to_json().items():
        failure = reason.partition(":")[0]
        failures[failure] = failures.get(failure, 0) + count
    mine = judge.digest(rubric)
    used = usage(row for row in jsonl.read(files.journal) if row["judge"] == mine)
    price = Price(*record.price)
    cost = price.of(Usage(used["prompt_tokens"], used["completion_tokens"])) if any(record.price) else None
    return JudgeSummary(
        metric=rubric.metric,
        model=judge.model,
        rubric=f"{rubric.name} {rubric.version}",
        signature=judge.signature(rubric),
        unscored=unscored,
        unscored_rate=rate,
        max_unscored=record.max_unscored,
        failures=dict(sorted(failures.items())),
        publishable=rate <= record.max_unscored,
        upstream_lost=None if lost is None else lost.quirks["Q-LLM-1"],
        usage={**used, "cost": cost},
        audit=dict(record.audit),
    )


def _join_scores(path: Path, judged: Path, names: set[str]) -> None:
    """Each sample's rows of the judge after its other rows."""
    temporary = path.with_name(path.name + ".tmp")
    others = groupby(jsonl.read(path), key=_sample)
    nothing: tuple[str, Iterable[Mapping[str, Any]]] = ("", ())
    name, rows = next(others, nothing)
    with temporary.open("wb") as stream:
        for sample, more in groupby(jsonl.read(judged), key=_sample):
            if name == sample:
                stream.writelines(jsonl.line(row) for row in rows if row["metric"] not in names)
                name, rows = next(others, nothing)
            stream.writelines(map(jsonl.line, more))
    if name:
        raise UserError(f"holds scores of {name}, which is not where the manifest has it", file=path)
    temporary.replace(path)
    judged.unlink()


def _sample(row: Mapping[str, Any]) -> str:
    return str(row["id"])


def _join_facts(
    run: RunFolder,
    task: str,
    metrics: Mapping[Scoring, list[Metric]],
    records: list[Record],
    about: tuple[JudgeSummary, ...],
) -> None:
    content = run.content()
    facts = content["tasks"][task]["facts"]
    for scoring, made in metrics.items():
        if made:
            facts["comparable"]["scoring"].setdefault(scoring, {}).update({item.name: item.signature for item in made})
    facts["recorded"]["judges"] = {
        record.rubric.metric: {**record.judge.facts(record.rubric), **told.usage, "audit": told.audit}
        for record, told in zip(records, about, strict=True)
    }
    content["tasks"][task]["facts"] = json.loads(canonical(facts))
    jsonl.write_document(run.path / "run.json", content)


def _told(task: str, record: Record, client: Client) -> Callable[[], str]:
    """The title of the stage, with the cost so far."""

    def title() -> str:
        spent = client.recorded().get("cost") if any(record.price) else None
        return f"{task}: judging by {record.rubric.name}" + (f", {spent:.2f} spent" if spent is not None else "")

    return title
