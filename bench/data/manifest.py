"""The manifest: the samples of a test set as a file, and the hashes that identify them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from m3dbench.data.dataset import DataSource
from m3dbench.data.sample import Sample
from m3dbench.data.variants import worded
from m3dbench.errors import ExitCode, UserError
from m3dbench.task import Asking, Task


@dataclass(frozen=True)
class Manifest:
    """A written manifest.

    digest: hash of everything in it, wording included. comparable: hash of ids, cases, strata, references and files.
    information: hash of what is asked, without the wording. parts: the sub-datasets it was made from.
    """

    path: Path
    samples: int
    cases: int
    digest: str
    comparable: str
    information: str

    def __iter__(self) -> Iterator[Sample]:
        return read_samples(self.path)


def read_samples(path: Path) -> Iterator[Sample]:
    """The samples of a manifest that was written earlier."""
    with path.open(encoding="utf-8") as stream:
        for raw in stream:
            yield Sample.from_json(json.loads(raw))


def parts_of(task: Task[Any], source: DataSource, wanted: Collection[str] | None) -> Collection[str] | None:
    """The wanted sub-datasets; else the task's default ones where any is present, None (all) where none is.

    Raises UserError when a wanted one is not there.
    """
    if wanted is not None:
        there = sorted({part for dataset in source.datasets for part in dataset.parts(source.root)})
        unknown = [name for name in wanted if name not in there]
        if unknown:
            raise UserError(
                f"there is no sub-dataset {unknown[0]!r} here",
                file=source.root.path,
                field="--datasets",
                fix=f"choose from: {', '.join(there)}",
            )
        return wanted
    present = {part for kind in task.records for part in source.parts(kind)}
    chosen = tuple(part for part in task.parts if part in present)
    return chosen or None


def samples_of(
    task: Task[Any], source: DataSource, split: str, ask: Asking, only: Collection[str] | None, variants: int = 1
) -> Iterator[Sample]:
    """The samples of a split, in a stable order, each in so many wordings.

    Raises UserError when the data has none of the task's kinds of record in this split.
    """
    offered = [kind for kind in task.records if source.offers(kind, split)]
    for kind in offered or task.records[:1]:  # asked for what is not there, the source says what is
        for record in source.records(kind, split, only):
            asked = record.unrepaired() if ask.upstream else record
            for sample in worded(task, asked, ask, variants):
                yield replace(sample, note=asked.note) if asked.note else sample


def write_manifest(
    samples: Iterator[Sample], path: Path, *, limit: int | None = None, advance: Callable[[int], None] | None = None
) -> Manifest:
    """Write the samples as JSON lines, at most ``limit`` of them, and hash them on the way.

    Raises UserError when an id comes twice or nothing is left to score.
    """
    full, comparable, information = (hashlib.sha256() for _ in range(3))
    ids: set[str] = set()
    cases: set[str] = set()
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8", newline="\n") as stream:
        for sample in islice(samples, limit):
            if sample.id in ids:
                raise UserError("two samples share an id", record=sample.id, fix="ids must be unique within a test set")
            ids.add(sample.id)
            cases.add(sample.case)
            row = sample.to_json()
            raw = canonical(row)
            stream.write(raw + "\n")
            full.update(raw.encode())
            request = sample.request.information()
            information.update(canonical({"id": sample.id, "request": request}).encode())
            comparable.update(canonical({**row, "request": request}).encode())
            if advance is not None:
                advance(len(ids))
    if not ids:
        temporary.unlink()
        raise UserError("the test set is empty: there is nothing to score", code=ExitCode.NOTHING_TO_SCORE)
    temporary.replace(path)
    return Manifest(path, len(ids), len(cases), full.hexdigest(), comparable.hexdigest(), information.hexdigest())


def canonical(row: Any) -> str:
    """Canonical JSON: sorted keys, no spaces, UTF-8 text."""
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
