"""Whether a submission is what it says: its form, its files, its numbers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from m3dbench import registry
from m3dbench.errors import UserError
from m3dbench.judge.folder import Record
from m3dbench.judge.lookup import metrics_of
from m3dbench.metrics.core import Metric
from m3dbench.report.leaderboard.accepting import refusal
from m3dbench.report.leaderboard.answers import read_answers
from m3dbench.report.leaderboard.findings import Finding, metric_differences, told
from m3dbench.report.leaderboard.folder import CHECKED, RECORD, BoardFolder, Rules
from m3dbench.report.leaderboard.rescoring import Rescorer
from m3dbench.report.leaderboard.scores import read_scores, recompute
from m3dbench.report.leaderboard.submission import Submitted, SubmittedTask, digest, identity
from m3dbench.report.scored_by import scored_by
from m3dbench.runs import jsonl
from m3dbench.runs.journal import Rows
from m3dbench.runs.paired_scores import Key
from m3dbench.runs.summary import count_statuses
from m3dbench.task import Scoring

Verified = Literal["from predictions", "from scores", "not"]
SAMPLES_NAMED = 3


@dataclass
class Checked:
    """What a check of a submission found. verified: task -> how far its numbers were recomputed. notes: (place,
    what could not be done and why)."""

    submission: str
    findings: list[Finding] = field(default_factory=list)
    verified: dict[str, Verified] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)


def check(board: BoardFolder, submission: str, rescorer: Rescorer | None = None) -> Checked:
    """Check one submission; what does not hold is told, never raised."""
    done = Checked(submission)
    place = board.place(submission)

    def found(task: str, what: str, stated: Any, recomputed: Any, file: str = RECORD) -> None:
        name = (place / file).relative_to(board.path).as_posix()
        done.findings.append(Finding(name, task, what, told(stated), told(recomputed)))

    try:
        record = board.read(submission)
    except UserError as error:
        found("", "form", error.message, "")
        return done
    listed = {RECORD, CHECKED, *(file.path for part in record.tasks.values() for file in part.files)}
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        if (name := path.relative_to(place).as_posix()) not in listed:
            found("", "file", "is not in the record", "", name)
    for name, part in record.tasks.items():
        broken = False
        for file in part.files:
            path = place / file.path
            actual = digest(path) if path.is_file() else "missing"
            if actual != file.sha256:
                found(name, "SHA-256", file.sha256[:16], actual[:16], file.path)
                broken = broken or not path.is_file()
        done.verified[name] = "not"
        if not broken:
            _task(place, name, part, done, found, rescorer, board.rules)
    _name(record, done, found)
    return done


def _name(record: Submitted, done: Checked, found: Any) -> None:
    """Whether the submission's name is that of its facts and summaries: finds edits of what nothing else tells."""
    if done.findings:
        return
    actual = identity(record.model, record.role, {name: part.sealed for name, part in record.tasks.items()})
    if actual != record.submission:
        found("", "name, which holds a hash of the facts, summaries and answers", record.submission, actual)
        done.verified = dict.fromkeys(done.verified, "not")


def _task(
    place: Path, name: str, part: SubmittedTask, done: Checked, found: Any, rescorer: Rescorer | None, rules: Rules
) -> None:
    before = len(done.findings)
    try:
        _stated(name, part, found)
        refused = refusal(name, part.facts.model_dump(), part.summary.to_json(), rules)
        if refused is not None:
            found(name, refused.field, refused.why, "")
        _from_scores(place, name, part, done, found)
        _journal(place, name, part, found)
    except UserError as error:
        inside = error.file is not None and Path(error.file).is_relative_to(place)
        file = Path(error.file).relative_to(place).as_posix() if error.file and inside else RECORD
        found(name, error.record or "form", error.message, "", file)
    if len(done.findings) == before:
        done.verified[name] = "from scores"
    if rescorer is not None:
        try:
            _from_predictions(place, name, part, done, found, rescorer)
        except UserError as error:
            done.notes.append((f"{done.submission}/{name}", f"not scored again: {error.message}"))
            return
        done.verified[name] = "from predictions" if len(done.findings) == before else "not"


def _stated(name: str, part: SubmittedTask, found: Any) -> None:
    """What the record states twice."""
    task = registry.create("tasks", name)
    summary, comparable = part.summary, part.facts.comparable
    for what, stated, actual in (
        ("task", summary.task, name),
        ("task of the facts", comparable.get("task"), name),
        ("task_version", summary.version, comparable.get("task_version")),
        ("primary", summary.primary, task.primary),
    ):
        if stated != actual:
            found(name, what, stated, actual)
    signatures = {(item.scoring, item.metric): item.signature for item in summary.metrics}
    recorded = {
        (scoring, metric): signature
        for scoring, metrics in comparable.get("scoring", {}).items()
        for metric, signature in metrics.items()
    }
    for key in dict.fromkeys([*recorded, *signatures]):
        if signatures.get(key) != recorded.get(key):
            found(name, f"{key[1]} ({key[0]}) signature", signatures.get(key), recorded.get(key))
    for judge in summary.judges:
        item = summary.metric(judge.metric)
        if item is not None and item.micro.n_unscored != judge.unscored:
            found(name, f"unscored by the judge of {judge.metric}", judge.unscored, item.micro.n_unscored)
        if judge.publishable != (judge.unscored_rate <= judge.max_unscored):
            found(name, f"publishable, {judge.metric}", judge.publishable, not judge.publishable)


def metrics_of_part(name: str, part: SubmittedTask) -> tuple[dict[Key, Metric], dict[str, str]]:
    """The metrics of a submitted task, and those that cannot be made here with the reason."""
    nothing = Rows(Path("no judgements"))
    judged: list[tuple[Scoring, Metric]] = []
    for content in part.judges:
        for scoring, metrics in metrics_of(Record.from_json(content), nothing).items():
            judged += [(scoring, metric) for metric in metrics]
    return scored_by(name, part.facts.comparable["scoring"], judged)


def _from_scores(place: Path, name: str, part: SubmittedTask, done: Checked, found: Any) -> None:
    metrics, missing = metrics_of_part(name, part)
    where = f"{done.submission}/{name}"
    done.notes += [(where, f"{what} not recomputed: {why}") for what, why in missing.items()]
    macro = registry.create("tasks", name).macro
    summaries, samples, cases, wrong = recompute(place / part.scores.path, metrics, macro)
    for sample, metric, stated, actual in wrong[:SAMPLES_NAMED]:
        found(name, f"{metric.name} of {sample}", stated, actual, part.scores.path)
    for what, given, actual in (("samples", part.summary.samples, samples), ("cases", part.summary.cases, cases)):
        if given != actual:
            found(name, what, given, actual)
    for what, given, actual in metric_differences(part.summary.metrics, summaries):
        found(name, what, given, actual)


def _journal(place: Path, name: str, part: SubmittedTask, found: Any) -> None:
    """The predictions: whether they are the run's, and their number by status."""
    if part.predictions is None:
        return
    raw, statuses = read_answers(place / part.predictions.path)
    actual = hashlib.sha256(raw).hexdigest()
    if actual != part.journal:
        found(name, "SHA-256 of the predictions", part.journal[:16], actual[:16], part.predictions.path)
    statuses["missing"] = max(0, part.summary.samples - statuses.total())
    counts = count_statuses(statuses)
    for status in counts:
        if counts[status] != part.summary.predictions.get(status, 0):
            found(name, f"predictions {status}", part.summary.predictions.get(status, 0), counts[status])


def _from_predictions(
    place: Path, name: str, part: SubmittedTask, done: Checked, found: Any, rescorer: Rescorer
) -> None:
    summary, scores, same = rescorer.rescore(name, part, place)
    where = f"{done.submission}/{name}"
    lost = set()
    for item in summary.metrics:
        stated = part.summary.metric(item.metric, item.scoring)
        if stated is not None and item.micro.n_unscored > stated.micro.n_unscored:
            lost.add((item.scoring, item.metric))
            why = next(iter(item.unscored_reasons), "")
            done.notes.append((where, f"{item.metric} ({item.scoring}) not scored again: {why}"))
    here = [item for item in summary.metrics if (item.scoring, item.metric) not in lost]
    others = [key for key in _keys(part) if key not in same and not _judged(part, key[1])]
    done.notes += [
        (where, f"{metric} ({scoring}) not scored again: its rules are not those of this version")
        for scoring, metric in others
    ]
    dimensions = {dimension for item in part.summary.metrics for dimension in item.strata}
    known = {dimension for item in here for dimension in item.strata}
    told_twice = {finding.what for finding in done.findings if finding.task == name}
    for what, given, actual in metric_differences(
        part.summary.metrics, here, ignored=(), left_out=(*part.summary.apart, *(dimensions - known))
    ):
        if what not in told_twice:
            found(name, what, given, actual)
    rows = jsonl.read(scores)
    for what, given, actual in _samples(place / part.scores.path, rows, same - lost):
        found(name, what, given, actual, part.scores.path)


def _keys(part: SubmittedTask) -> list[tuple[str, str]]:
    return [(scoring, name) for scoring, found in part.facts.comparable["scoring"].items() for name in found]


def _judged(part: SubmittedTask, metric: str) -> bool:
    """Whether a judge gave it: nobody is asked again."""
    return any(metric == judge.metric or metric.startswith(f"{judge.metric}.") for judge in part.summary.judges)


def _samples(
    path: Path, scored: Iterator[Mapping[str, Any]], keys: set[tuple[str, str]]
) -> Iterator[tuple[str, Any, Any]]:
    """The first samples of each metric whose status or value is not that of the predictions."""
    actual = {(row["id"], row["scoring"], row["metric"]): row for row in scored}
    named: Counter[tuple[str, str]] = Counter()
    for row in read_scores(path):
        key = (row["scoring"], row["metric"])
        ours = actual.get((row["id"], *key))
        if key not in keys or named[key] >= SAMPLES_NAMED:
            continue
        stated = _brief(row)
        if ours is None or stated != _brief(ours):
            named[key] += 1
            yield f"{key[1]} ({key[0]}) of {row['id']}", stated, "no such sample" if ours is None else _brief(ours)


def _brief(row: Mapping[str, Any]) -> str:
    return str(row["status"]) if row["value"] is None else f"{row['value']:.6g}, {row['status']}"
