"""From a finished run to a submission: what is refused, and what is written."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from m3dbench import registry
from m3dbench.data.manifest import canonical
from m3dbench.errors import UserError
from m3dbench.judge.folder import JudgeFolder, read_records
from m3dbench.report.leaderboard.accepting import refusal
from m3dbench.report.leaderboard.checking import Checked, check
from m3dbench.report.leaderboard.folder import RECORD, SUBMISSIONS, BoardFolder
from m3dbench.report.leaderboard.scores import write_scores
from m3dbench.report.leaderboard.submission import (
    StoredFile,
    Submitted,
    TaskFacts,
    digest,
    identity,
    problems,
    sealed,
    stored,
)
from m3dbench.report.leaderboard.verified import note
from m3dbench.runs import jsonl
from m3dbench.runs.folder import RunFolder, TaskFolder
from m3dbench.runs.summary import TaskSummary

OWN_PLACES = ("base_url", "path", "data_root")
WITHOUT_FILE = ("mask", "embedding")
"""Kinds of answer whose journal says little without the arrays."""


@dataclass(frozen=True)
class Told:
    """What a submitter says beside the run. model, version: other names than the run's; empty for the run's own.
    train_data: ``NAME`` or ``NAME:SPLIT`` each, None where nothing is declared. arrays: masks and embeddings too."""

    submitted: str
    model: str = ""
    version: str = ""
    submitter: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    train_data: tuple[str, ...] | None = None
    predictions: bool = True
    arrays: bool = False


def add(runs: Sequence[RunFolder], board: BoardFolder, told: Told, tasks: Sequence[str] | None = None) -> list[str]:
    """Write a submission each and return their ids; nothing is written when any of the runs is refused.

    Raises UserError with the reason: a task that is not finished, a control, drawn or partial data, too many errors or
    unscored answers, the same answers again.
    """
    chosen = [(run, list(tasks) if tasks is not None else run.tasks()) for run in runs]
    for run, names in chosen:
        if not names:
            raise UserError("the run has no task", file=run.path)
        for name in names:
            refuse(run, name, board)
    named = [(run, names, _identity(run, names, told)) for run, names in chosen]
    for place, (run, _, name) in enumerate(named):
        if name in [other for _, _, other in named[:place]]:
            raise UserError("is given twice", file=run.path)
    board.save()
    for run, names, name in named:
        _write(run, names, name, board, told)
        _hold(run, check(board, name), board)
    return [name for _, _, name in named]


def refuse(run: RunFolder, task: str, board: BoardFolder) -> None:
    """Raises UserError when the board does not accept a task of a run."""
    run.insist(task)
    entry = run.content()["tasks"][task]
    summary = run.summaries().get(task)
    if entry["status"] != "complete" or summary is None:
        raise UserError(f"{task} is not finished", file=run.path, fix="repeat the run's command to finish it")
    found = refusal(task, entry["facts"], summary, board.rules)
    if found is not None:
        raise UserError(found.why, file=run.path, field=found.field, fix=found.fix)
    for what in ("data", "test_set"):
        if entry.get(what) != summary[what]:
            told = f"{task}: run.json says {entry.get(what)!r}, summary.json {summary[what]!r}"
            raise UserError(told, file=run.path, field=what, fix="repeat the run's command: it writes both anew")
    _refuse_again(run, task, entry, board)


def _refuse_again(run: RunFolder, task: str, entry: Mapping[str, Any], board: BoardFolder) -> None:
    journal = digest(run.task(task).predictions)
    comparable = json.loads(canonical(entry["facts"]["comparable"]))
    for other in board.ids():
        known = board.read(other).tasks.get(task)
        if known is None or known.journal != journal or known.summary.model != entry["model"]:
            continue
        if known.facts.comparable == comparable:
            raise UserError(
                f"these answers to {task} are on the board already, as {other}",
                file=run.path,
                fix=f"remove {board.place(other)} to submit them anew",
            )


def _identity(run: RunFolder, tasks: Iterable[str], told: Told) -> str:
    content = run.content()["tasks"]
    parts = {}
    for name in tasks:
        try:
            facts = TaskFacts.model_validate(_facts(content[name]))
            summary = TypeAdapter(TaskSummary).validate_python(run.summaries()[name])
        except ValidationError as error:
            raise UserError(f"cannot be a submission: {problems(error)}", file=run.path) from error
        parts[name] = sealed(facts, summary, digest(run.task(name).predictions))
    first = content[next(iter(parts))]
    return identity(told.model or str(first["model"]), str(first["role"]), parts)


def _facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a task as a submission holds them."""
    facts = entry["facts"]
    return {**{name: public(facts[name]) for name in ("resume", "recorded")}, "comparable": facts["comparable"]}


def _write(run: RunFolder, tasks: Sequence[str], submission: str, board: BoardFolder, told: Told) -> None:
    final = board.place(submission)
    if final.exists():
        raise UserError(f"is on the board already, as {submission}", file=run.path, fix=f"remove {final} first")
    place = board.path / SUBMISSIONS / f".{submission}.tmp"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        entries = run.content()["tasks"]
        first = entries[tasks[0]]
        content = {
            "schema": 1,
            "submission": submission,
            "model": told.model or first["model"],
            "version": told.version or _version(first["facts"]),
            "role": first["role"],
            "submitted": told.submitted,
            "submitter": told.submitter,
            "links": dict(sorted(told.links.items())),
            "note": told.note,
            "train_data": None if told.train_data is None else list(told.train_data),
            "tasks": {name: _task(run, name, entries[name], place, told) for name in sorted(tasks)},
        }
        try:
            record = Submitted.model_validate(content)
        except ValidationError as error:
            raise UserError(f"cannot be a submission: {problems(error)}", file=run.path) from error
        jsonl.replace(place / RECORD, jsonl.document(record.to_json()))
        place.replace(final)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _hold(run: RunFolder, found: Checked, board: BoardFolder) -> None:
    """Take a submission back whose numbers do not follow from the run's own scores."""
    if not found.findings:
        note(board, found)
        return
    shutil.rmtree(board.place(found.submission))
    first = found.findings[0]
    raise UserError(
        f"{first.task}: the summary does not follow from the scores: {first}",
        file=run.path,
        fix="repeat the run's command: what is answered is scored again",
    )


def _task(run: RunFolder, name: str, entry: Mapping[str, Any], place: Path, told: Told) -> dict[str, Any]:
    folder = run.task(name)
    scores = place / f"{name}.scores.parquet"
    write_scores(folder, scores)
    arrays = [stored(place, path) for path in _arrays(folder, place, name)] if told.arrays else []
    kind = registry.create("tasks", name).answer
    predictions: StoredFile | None = None
    if told.predictions and (kind not in WITHOUT_FILE or arrays):
        packed = place / f"{name}.predictions.jsonl.gz"
        packed.write_bytes(gzip.compress(folder.predictions.read_bytes(), 9, mtime=0))
        predictions = stored(place, packed)
    records = read_records(JudgeFolder.of(folder).record)
    return {
        "facts": _facts(entry),
        "summary": run.summaries()[name],
        "scores": stored(place, scores),
        "journal": digest(folder.predictions),
        "predictions": predictions,
        "arrays": arrays,
        "judges": [record.to_json() for record in records],
    }


def _arrays(folder: TaskFolder, place: Path, name: str) -> list[Path]:
    copied = []
    for kind in (folder.masks, folder.embeddings):
        for shard in sorted(kind.glob("*.tar")) if kind.is_dir() else ():
            target = place / f"{name}.{kind.name}" / shard.name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(shard, target)
            copied.append(target)
    return copied


def public(value: Any) -> Any:
    """Facts without what says more of the submitter's machine than of the model: addresses and folders."""
    if isinstance(value, Mapping):
        return {name: public(item) for name, item in value.items() if name not in OWN_PLACES}
    if isinstance(value, list | tuple):
        return [public(item) for item in value]
    if isinstance(value, str) and (value.startswith(("/", "~")) or PurePath(value).is_absolute()):
        return PurePath(value).name
    return value


def _version(facts: Mapping[str, Any]) -> str:
    model = facts["recorded"].get("model") or {}
    return str(model.get("revision") or facts["resume"].get("adapter_version") or "")
