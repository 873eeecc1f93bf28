"""A data directory gone through once: lists here, files in worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from m3dbench.data.check.jobs import Job, MaskFile, Worker
from m3dbench.data.check.kinds import Finding
from m3dbench.data.check.layouts import cap, refseg, vqa
from m3dbench.data.check.masks import seg
from m3dbench.data.check.report import EXAMPLES, Report, Size
from m3dbench.data.check.walk import Seen, Step, Walk
from m3dbench.data.dataset import DataSource
from m3dbench.data.records import MaskRecord
from m3dbench.errors import DataError
from m3dbench.parallel import ordered, processors
from m3dbench.progress import Progress, Silent

CHUNK = 32
LAYOUTS: dict[str, Callable[[Walk], Iterator[Step]]] = {
    "M3D-Cap": cap,
    "M3D-VQA": vqa,
    "M3D-Seg": seg,
    "M3D-RefSeg": refseg,
}


def check(
    source: DataSource,
    *,
    quick: bool = False,
    examples: int = EXAMPLES,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Go through everything that the directory's lists name, each file once, over ``workers`` processes.

    quick: files have to be there with a sound header; their values are not read. A data set that this module does not
    know is gone through by its reader, up to the first record that it refuses. The report does not depend on
    ``workers``, and memory not on the number of findings.
    """
    root = source.root
    report = Report(str(root.path), root.kind, quick=quick, examples=examples)
    report.datasets = [dataset.name for dataset in source.datasets]
    walk = Walk(root)
    steps = chain.from_iterable(
        LAYOUTS[dataset.name](walk) if dataset.name in LAYOUTS else _by_reader(walk, source, dataset.name)
        for dataset in source.datasets
    )
    work = Worker(Path(root.path).resolve(), quick)
    with (progress or Silent()).stage("checking files", None) as advance:
        for files, findings in ordered(work, _chunks(steps, report), workers or processors()):
            report.files += files
            report.add(findings)
            advance(files)
    report.add(walk.unlisted())
    return report


def _chunks(steps: Iterator[Step], report: Report) -> Iterator[list[Job | Finding]]:
    """Jobs and findings, a few at a time; sizes go to the report on the way."""
    chunk: list[Job | Finding] = []
    for step in steps:
        if isinstance(step, Size):
            report.sizes.append(step)
            if not step.differing:
                continue
            chunk.append(Finding("size", step.name, "; ".join(step.differing)))
        else:
            chunk.append(step)
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _by_reader(walk: Walk, source: DataSource, name: str) -> Iterator[Step]:
    """A plug-in's data set, record by record."""
    (dataset,) = (dataset for dataset in source.datasets if dataset.name == name)
    for kind in sorted(dataset.kinds, key=lambda kind: kind.__name__):
        for split in dataset.splits(walk.root, kind):
            ids, number = Seen(), 0
            try:
                for record in dataset.records(walk.root, kind, split):
                    number += 1
                    if not ids.first(record.id):
                        yield Finding("duplicate_id", name, record.id, f"{split} {record.id}")
                    masks = []
                    if isinstance(record, MaskRecord) and record.mask.label is None:
                        masks.append(MaskFile(walk.root.file(record.mask.path), record.id))
                    if job := walk.job(f"{name} {split} {record.id}", volume=record.volume.path, masks=masks):
                        yield job
            except DataError as error:
                told = error.message
                yield Finding("malformed_record", error.file or name, told, error.record or "", error.field or "")
            yield Size(f"{name} {split}", {kind.__name__.removesuffix("Record").lower() + " records": number})
