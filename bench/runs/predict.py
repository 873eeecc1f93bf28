"""The prediction stage: queries to the adapter, answers into the journal the moment they exist."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise
from typing import Any

from m3dbench.adapter import Adapter, Query
from m3dbench.data.files import DataFiles
from m3dbench.data.manifest import Manifest
from m3dbench.data.prediction import STATUSES, Prediction, StoredPrediction
from m3dbench.data.sample import Sample
from m3dbench.errors import DataError, UserError
from m3dbench.metrics.pairs import DEFAULT_GRID
from m3dbench.runs import jsonl
from m3dbench.runs.answers import store
from m3dbench.runs.arrays import Arrays, complete
from m3dbench.runs.folder import TaskFolder
from m3dbench.runs.journal import Journal, drop, mend
from m3dbench.task import Task

Batch = list[tuple[int, Sample]]
"""Samples with their places in the manifest."""
Answered = tuple[int, Sample, Prediction, float]
"""A sample's place in the manifest, the sample, its answer, and the seconds that it took."""


@dataclass(frozen=True)
class PredictOptions:
    """fail_fast: stop at the first error. retry_errors: ask again what ended as ``error`` before."""

    fail_fast: bool = False
    retry_errors: bool = False


def predict(
    task: Task[Any],
    adapter: Adapter,
    manifest: Manifest,
    files: DataFiles,
    folder: TaskFolder,
    options: PredictOptions,
    advance: Callable[[int], None],
) -> None:
    """Answer every sample of the manifest that the journal does not hold yet, in the manifest's order.

    Raises UserError under ``fail_fast``, and whatever a streaming adapter raises.
    """
    if options.retry_errors and folder.predictions.exists():
        drop(folder.predictions, lambda row: row["status"] == "error")
    known = [StoredPrediction.from_json(row) for row in mend(folder.predictions, lambda row: complete(row, folder))]
    arrays = Arrays(folder, known)
    done = {prediction.id for prediction in known}
    advance(len(done))
    with Journal(folder.predictions) as journal, folder.timings.open("ab") as timings:
        for index, sample, answer, seconds in _answers(adapter, manifest, files, done):
            stored_answer = store(task.answer, sample, answer, adapter.boxes, files, arrays, index)
            journal.append(stored_answer.to_json())
            timings.write(jsonl.line({"id": sample.id, "seconds": round(seconds, 6)}))
            advance(1)
            if options.fail_fast and stored_answer.status == "error":
                raise UserError(f"stopped at the first error: {stored_answer.reason}", record=sample.id)
    arrays.finish()


def _answers(adapter: Adapter, manifest: Manifest, files: DataFiles, done: Collection[str]) -> Iterator[Answered]:
    """What is not done yet, in the manifest's order, streamed where the adapter streams, else in batches."""
    left = ((index, sample) for index, sample in enumerate(manifest) if sample.id not in done)
    waiting = Waiting(left, adapter, files)
    streamed = adapter.stream(waiting.queries())
    return waiting.matched(streamed) if streamed is not None else _batched(adapter, manifest, files, done)


def _batched(adapter: Adapter, manifest: Manifest, files: DataFiles, done: Collection[str]) -> Iterator[Answered]:
    """Batches have fixed members whatever was answered before, so a resumed run gives what an undisturbed one gives."""
    batches = _batches(manifest, adapter.batch_size)
    left = (batch for batch in batches if any(sample.id not in done for _, sample in batch))
    files.keep_at_least(adapter.batch_size)
    for batch, following in _with_next(left):
        if adapter.looks:
            files.read_ahead(sample.volume for _, sample in following)
        began = time.perf_counter()
        answers = _answer(adapter, [sample for _, sample in batch], files)
        seconds = (time.perf_counter() - began) / len(batch)
        for (index, sample), answer in zip(batch, answers, strict=True):
            if sample.id not in done:
                yield index, sample, answer, seconds


def _batches(samples: Iterable[Sample], size: int) -> Iterator[Batch]:
    numbered = iter(enumerate(samples))
    while batch := list(islice(numbered, size)):
        yield batch


def _with_next(batches: Iterable[Batch]) -> Iterator[tuple[Batch, Batch]]:
    """Each batch with the one after it, empty after the last."""
    return pairwise(chain(batches, [[]]))


def _answer(adapter: Adapter, samples: Sequence[Sample], files: DataFiles) -> list[Prediction]:
    """One answer a sample: broken volumes are errors of their own sample, never of their batch."""
    answers: dict[str, Prediction] = {}
    queries: list[Query] = []
    for sample in samples:
        if (broken := unreadable(adapter, sample, files)) is not None:
            answers[sample.id] = broken
        else:
            queries.append(query_of(sample, files))
    for answer in _ask(adapter, queries):
        answers[answer.id] = answer
    return [answers[sample.id] for sample in samples]


def unreadable(adapter: Adapter, sample: Sample, files: DataFiles) -> Prediction | None:
    """The error of a sample whose volume the adapter needs and cannot have; None where nothing is amiss."""
    if adapter.looks:
        try:
            files.volume(sample.volume)
        except DataError as error:
            return Prediction(sample.id, status="error", reason=one_line(error))
    return None


def query_of(sample: Sample, files: DataFiles) -> Query:
    """What the adapter sees of a sample."""
    return Query(
        sample.id,
        sample.case,
        sample.request,
        volume=lambda: files.volume(sample.volume),
        grid=lambda: files.grid(sample.volume) or DEFAULT_GRID,
        geometry=lambda: files.geometry(sample.volume),
        path=sample.volume.path if sample.volume is not None else "",
    )


def _ask(adapter: Adapter, queries: Sequence[Query]) -> Sequence[Prediction]:
    if not queries:
        return []
    try:
        answers = list(adapter.predict(queries))
        if [answer.id for answer in answers] != [query.id for query in queries]:
            raise ValueError(f"the adapter answered other ids or another order than the {len(queries)} asked")
        return [_checked(answer) for answer in answers]
    except Exception as error:  # noqa: BLE001 - whatever a model raises becomes that sample's recorded error
        if len(queries) > 1:
            return [answer for query in queries for answer in _ask(adapter, [query])]
        return [Prediction(queries[0].id, status="error", reason=one_line(error))]


def _checked(answer: Prediction) -> Prediction:
    if answer.status not in STATUSES:
        raise ValueError(f"the adapter gave the unknown status {answer.status!r}")
    return replace(answer, reason=answer.reason or "no reason given") if answer.status != "ok" else answer


def one_line(error: Exception) -> str:
    """An exception as one line for the journal."""
    text = "; ".join(part.strip() for part in str(error).splitlines() if part.strip())
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


class Waiting:
    """Samples whose queries a streaming adapter has drawn, until their answers come; broken volumes never reach it."""

    def __init__(self, samples: Iterable[tuple[int, Sample]], adapter: Adapter, files: DataFiles) -> None:
        self._samples = samples
        self._adapter = adapter
        self._files = files
        self._drawn: deque[tuple[int, Sample, Prediction | None]] = deque()

    def queries(self) -> Iterator[Query]:
        for index, sample in self._samples:
            broken = unreadable(self._adapter, sample, self._files)
            self._drawn.append((index, sample, broken))
            if broken is None:
                yield query_of(sample, self._files)

    def matched(self, answers: Iterable[Prediction]) -> Iterator[Answered]:
        """The answers with their samples, and the broken ones in their places. Raises ValueError on any other order."""
        began = time.perf_counter()
        for answer in answers:
            yield from self._broken()
            index, sample, _ = self._drawn.popleft() if self._drawn else (-1, None, None)
            if sample is None or answer.id != sample.id:
                raise ValueError(f"the adapter answered {answer.id}, and {sample.id if sample else 'nothing'} was next")
            now = time.perf_counter()
            yield index, sample, _checked(answer), now - began
            began = now
        yield from self._broken()
        if self._drawn:
            raise ValueError(f"the adapter left {len(self._drawn)} queries unanswered, first {self._drawn[0][1].id}")

    def _broken(self) -> Iterator[Answered]:
        while self._drawn and (broken := self._drawn[0][2]) is not None:
            index, sample, _ = self._drawn.popleft()
            yield index, sample, broken, 0.0
