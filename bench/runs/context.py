"""What an adapter is told of a task before its first query."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from m3dbench.adapter import Adapter, Context, Known
from m3dbench.data.dataset import DataSource
from m3dbench.data.files import DataFiles
from m3dbench.data.manifest import Manifest, samples_of
from m3dbench.data.sample import Sample
from m3dbench.errors import ExitCode, UserError
from m3dbench.task import Asking, Task

if TYPE_CHECKING:
    from m3dbench.runs.engine import Settings


def context_of(
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

    revealing = known if adapter.reads_reference else None
    altered = seen is not files
    return Context(task.name, task.answer, settings.seed, train, revealing, settings.words.requests, altered=altered)
