"""The work over all cases: in several processes, each case whole or not at all, finished ones kept."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from m3dbench.data.prepare.recipe import Job, Preparation
from m3dbench.data.prepare.records import Record, Records, kept_outputs, measured, stamp
from m3dbench.errors import DataError, UserError
from m3dbench.progress import Progress

PARTIAL = ".m3dbench-partial"


@dataclass
class Outcome:
    """One case: ``record`` where it is finished, ``error`` where it, or a part of it, is not."""

    case: str
    kept: bool = False
    record: Record | None = None
    error: UserError | None = None


@dataclass
class Done:
    """All cases. finished: record by case, in the order of the source. failed: case -> why; it may still have parts."""

    total: int
    finished: dict[str, Record] = field(default_factory=dict)
    written: int = 0
    kept: int = 0
    failed: dict[str, UserError] = field(default_factory=dict)


def prepare_cases(
    preparation: Preparation, directory: Path, records: Records, workers: int, progress: Progress
) -> Done:
    """Make every case that is not finished with this recipe from the same input. A case that cannot be made does not
    stop the others.

    Raises UserError when the source has no case, or a worker is killed from outside.
    """
    jobs = preparation.jobs()
    done = Done(len(jobs))
    scratch = directory / PARTIAL
    shutil.rmtree(scratch, ignore_errors=True)
    outcomes: dict[str, Outcome] = {}
    try:
        with progress.stage(f"preparing {preparation.kind}", len(jobs)) as advance:
            for outcome in _outcomes(preparation, jobs, directory, records.by_case, min(workers, len(jobs))):
                outcomes[outcome.case] = outcome
                if outcome.record is not None and outcome.record != records.by_case.get(outcome.case):
                    records.add(outcome.record)
                advance(1)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for job in jobs:
        outcome = outcomes[job.name]
        if outcome.error is not None:
            done.failed[job.name] = outcome.error
        if outcome.record is not None:
            done.finished[job.name] = outcome.record
            done.kept += outcome.kept
            done.written += not outcome.kept
    return done


def _outcomes(
    preparation: Preparation, jobs: list[Job], directory: Path, before: Mapping[str, Record], workers: int
) -> Iterator[Outcome]:
    if workers <= 1:
        for job in jobs:
            yield prepare_case(preparation, job, directory, before.get(job.name))
        return
    # Not forked: the progress bar and torch have threads.
    context = multiprocessing.get_context("spawn")
    waiting: set[Future[Outcome]] = set()
    queue = iter(jobs)
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            while True:
                for job in islice(queue, 2 * workers - len(waiting)):
                    waiting.add(pool.submit(prepare_case, preparation, job, directory, before.get(job.name)))
                if not waiting:
                    return
                ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield future.result()
        except BrokenProcessPool as error:
            raise UserError(
                "a worker process was killed, most likely for want of memory",
                file=directory,
                fix=f"run again with fewer --workers than {workers}: finished cases are kept",
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def prepare_case(preparation: Preparation, job: Job, directory: Path, before: Record | None) -> Outcome:
    """Make one case, in whatever process this is."""
    target = directory / job.target
    try:
        seen = stamp(job.inputs)
        fits = before is not None and before["recipe"] == preparation.recipe.identity and "failed" not in before
        if before is not None and fits and kept_outputs(target, before["outputs"]):
            if before["stamp"] == seen:
                return Outcome(job.name, kept=True, record=before)
            if before["inputs"] == measured(job.inputs):
                return Outcome(job.name, kept=True, record={**before, "stamp": seen})
        return _make(preparation, job, directory, target, seen)
    except UserError as error:
        error.record = error.record or job.name
        return Outcome(job.name, error=error)
    except FileNotFoundError as error:
        return Outcome(job.name, error=DataError("the file is missing", file=error.filename, record=job.name))
    except MemoryError:
        return Outcome(job.name, error=DataError("not enough memory for this case", record=job.name))


def _make(preparation: Preparation, job: Job, directory: Path, target: Path, seen: str) -> Outcome:
    partial = directory / PARTIAL / job.target
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    done = preparation.write(job, partial)
    record: Record = {
        "case": job.name,
        "recipe": preparation.recipe.identity,
        "stamp": seen,
        "inputs": measured(job.inputs),
        "outputs": {name: [(partial / name).stat().st_size, value] for name, value in sorted(done.outputs.items())},
        "notes": done.notes,
        **done.facts,
    }
    if done.failed:
        record["failed"] = {name: error.message for name, error in done.failed.items()}
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial.replace(target)
    first = next(iter(done.failed.values()), None)
    return Outcome(job.name, record=record if done.outputs else None, error=first)
