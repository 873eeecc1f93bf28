"""From submissions to a board: classes, places, notes, and published numbers beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from m3dbench import __version__
from m3dbench.metrics.core import Metric
from m3dbench.report.leaderboard.board import Board, Entry, Measure, Published, Ranking, Score, Submission
from m3dbench.report.leaderboard.checking import Verified, metrics_of_part
from m3dbench.report.leaderboard.classes import Candidate, Placed, class_of, common_facts, places
from m3dbench.report.leaderboard.contamination import overlap
from m3dbench.report.leaderboard.folder import BoardFolder
from m3dbench.report.leaderboard.submission import Submitted, SubmittedTask
from m3dbench.report.published.rows import Row, published
from m3dbench.report.published.tables import why_not
from m3dbench.runs.paired_scores import Key
from m3dbench.runs.summary import Macro, MetricSummary, Value

AGGREGATE = "published without scores per sample: it can be neither scored again nor paired"
SHOWN_CLASS = 8


def build_board(folder: BoardFolder, verified: Mapping[tuple[str, str], Verified]) -> Board:
    """The board of a folder. verified: (submission, task) -> how far its numbers were recomputed."""
    records = [folder.read(name) for name in folder.ids()]
    classes: dict[str, list[Candidate]] = {}
    for record in records:
        for part in record.tasks.values():
            found = classes.setdefault(class_of(part), [])
            found.append(Candidate(record, part, folder.place(record.submission)))
    rankings = [_ranking(key, found, folder.rules.alpha, verified) for key, found in classes.items()]
    rankings.sort(key=lambda ranking: (ranking.task, -len(ranking.entries), ranking.ranking))
    return Board(
        title=folder.rules.title,
        demonstration=folder.rules.demonstration,
        made_with=f"m3dbench {__version__}",
        submissions=tuple(_submission(record) for record in records),
        rankings=tuple(rankings),
        published=tuple(_published(classes.values())),
    )


def _ranking(
    key: str, candidates: Sequence[Candidate], alpha: float, verified: Mapping[tuple[str, str], Verified]
) -> Ranking:
    part = candidates[0].part
    summary = part.summary
    metrics, _ = metrics_of_part(summary.task, part)
    placed = places(candidates, metrics.get(("corrected", summary.primary)), alpha)
    same = _same_answers(candidates)
    ordered = sorted(summary.metrics, key=lambda item: (item.scoring, item.metric) != ("corrected", summary.primary))
    return Ranking(
        ranking=f"{summary.task}-{key[:SHOWN_CLASS]}",
        task=summary.task,
        title=summary.title,
        test_set=summary.test_set,
        samples=summary.samples,
        cases=summary.cases,
        facts=common_facts(part),
        measures=tuple(_measure(item, metrics) for item in ordered),
        entries=tuple(_entry(item, same[item.candidate.id], verified) for item in placed),
    )


def _measure(item: MetricSummary, metrics: Mapping[Key, Metric]) -> Measure:
    metric = metrics.get((item.scoring, item.metric))
    return Measure(
        metric=item.metric,
        scoring=item.scoring,
        direction="lower" if item.direction == "lower" else "higher",
        signature=item.signature,
        unit=metric.unit if metric is not None else "fraction",
    )


def _entry(item: Placed, same: Sequence[str], verified: Mapping[tuple[str, str], Verified]) -> Entry:
    record, part = item.candidate.record, item.candidate.part
    summary = part.summary
    found = {_key(metric): metric for metric in summary.metrics}
    met = overlap(record.train_data, part)
    return Entry(
        entry=item.candidate.id,
        submission=record.submission,
        task=summary.task,
        model=record.model,
        version=record.version,
        role=record.role,
        rank=item.rank,
        best_rank=item.best,
        worst_rank=item.worst,
        unranked=item.unranked,
        scores={key: _score(metric.micro) for key, metric in found.items()},
        macro={key: (metric.macro.dimension, _macro(metric.macro)) for key, metric in found.items() if metric.macro},
        strata={
            key: {
                dimension: {name: _score(value) for name, value in cells.items()}
                for dimension, cells in metric.strata.items()
            }
            for key, metric in found.items()
        },
        predictions=dict(summary.predictions),
        contamination=met.seen,
        notes=tuple(_notes(record, part, met.beside, same)),
        verified=verified.get((record.submission, summary.task), "not"),
    )


def _key(metric: MetricSummary) -> str:
    return metric.metric if metric.scoring == "corrected" else f"{metric.scoring}.{metric.metric}"


def _score(value: Value) -> Score:
    found = value.interval
    return Score(
        value=value.value,
        low=found.low if found else None,
        high=found.high if found else None,
        method=found.method if found else "",
        n_planned=value.n_planned,
        n_scored=value.n_scored,
        n_failed=value.n_failed,
        n_unscored=value.n_unscored,
        n_cases=value.n_cases,
    )


def _macro(macro: Macro) -> Score:
    found = macro.interval
    return Score(
        value=macro.value,
        low=found.low if found else None,
        high=found.high if found else None,
        method=found.method if found else "",
        n_cases=found.clusters if found else 0,
    )


def _notes(record: Submitted, part: SubmittedTask, beside: Sequence[str], same: Sequence[str]) -> list[str]:
    summary = part.summary
    drawn = {
        "phantom": "Made from the phantom: drawn data.",
        "file": "References come from the file of answers itself.",
    }
    notes = [drawn[summary.data]] if summary.data in drawn else []
    if limit := part.facts.resume.get("limit"):
        notes.append(f"Only the first {limit:,} samples.")
    if record.role == "blind":
        notes.append("Looks at no volume: what language alone gives.")
    unusable = {name: count for name, count in summary.predictions.items() if name != "ok" and count}
    if unusable:
        told = ", ".join(f"{count:,} {name}" for name, count in unusable.items())
        notes.append(f"Of {summary.samples:,} answers: {told}; each counts as the worst value.")
    if record.train_data is None:
        notes.append("Declares nothing of its training data.")
    if beside:
        notes.append(f"Trained on other splits of the same data: {', '.join(beside)}.")
    notes += [f"The split of {name} was made so: {how}." for name, how in summary.splits.items()]
    notes += [_judged(judge.metric, judge.model, judge.audit) for judge in summary.judges]
    if same:
        notes.append(f"Every answer is the same as that of {', '.join(same)}.")
    if record.note:
        notes.append(f"The submitter says: {record.note}")
    return notes


def _judged(metric: str, model: str, audit: Mapping[str, Any]) -> str:
    if "fit" not in audit:
        return f"{metric} was judged by {model}, which was not audited."
    return f"{metric} was judged by {model}, which an audit found {'fit' if audit['fit'] else 'unfit'}."


def _same_answers(candidates: Sequence[Candidate]) -> dict[str, list[str]]:
    """Entry -> the submissions of others in the class that answered byte for byte the same."""
    return {
        one.id: [
            other.record.submission
            for other in candidates
            if other is not one and other.part.journal == one.part.journal
        ]
        for one in candidates
    }


def _submission(record: Submitted) -> Submission:
    return Submission(
        submission=record.submission,
        model=record.model,
        version=record.version,
        role=record.role,
        submitted=record.submitted,
        submitter=record.submitter,
        links=dict(record.links),
        train_data=record.train_data,
        facts={
            name: {"recorded": dict(part.facts.recorded), "resume": dict(part.facts.resume)}
            for name, part in record.tasks.items()
        },
    )


def _published(classes: Iterable[Sequence[Candidate]]) -> list[Published]:
    """Published rows of the board's tasks that have one of our metrics, in the order of their files."""
    runs: dict[str, list[SubmittedTask]] = {}
    for candidates in classes:
        part = candidates[0].part
        runs.setdefault(part.summary.task, []).append(part)
    return [
        Published(
            task=row.task,
            model=row.model,
            metric=row.metric,
            value=row.value,
            stratum=row.stratum,
            source=source.source,
            why_not=_why_not(row, runs[row.task]),
        )
        for source in published()
        for row in source.rows
        if row.metric and row.task in runs
    ]


def _why_not(row: Row, runs: Sequence[SubmittedTask]) -> str:
    """Why a published row is not ranked; where every ranking of the task differs from it, how."""
    facts = [{"facts": part.facts.model_dump()} for part in runs]
    reasons = [why_not(entry, part.summary.to_json(), row) for entry, part in zip(facts, runs, strict=True)]
    return f"{AGGREGATE}; ours: {reasons[0]}" if all(reasons) else AGGREGATE
