"""Several wordings of the same samples, to measure how much a value depends on the wording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from m3dbench.data.records import Record
from m3dbench.data.sample import Sample
from m3dbench.errors import DataError
from m3dbench.task import Asking, Task
from m3dbench.wording import Wordings

DIMENSION = "variant"


def variant_count(task: Task[Any], words: Wordings, wanted: int) -> int:
    """How many of the wanted wordings a task has: as many as its largest slot has different sentences, at least 1.

    A slot with fewer comes round to its first again, so that every variant covers all samples.
    """
    return min(wanted, max((len(set(words.sentences(slot))) for slot in task.slots), default=1))


def worded(task: Task[Any], record: Record, ask: Asking, variants: int) -> Iterator[Sample]:
    """The samples of a record; with variants, each of them in so many wordings, one after the other.

    A variant has the id ``ID~vK`` (K from 1), the plain id as ``base`` and K in the strata. Raises DataError when the
    data set uses that stratum itself.
    """
    if variants == 1:
        yield from task.samples(record, ask)
        return
    asked = (task.samples(record, replace(ask, variant=number)) for number in range(variants))
    for versions in zip(*asked, strict=True):
        yield from _variants(versions)


def dimension_of(samples: Iterable[Sample]) -> str:
    """The stratum dimension of the wordings, empty where each sample has one."""
    return DIMENSION if next(iter(samples)).base else ""


def _variants(versions: Iterable[Sample]) -> Iterator[Sample]:
    together = list(versions)
    width = len(str(len(together)))
    for number, sample in enumerate(together, 1):
        if DIMENSION in sample.strata:
            raise DataError(
                f"the data set has strata named {DIMENSION!r} itself",
                record=sample.id,
                field=DIMENSION,
                fix="rename them, or run without --prompt-variants",
            )
        label = f"{number:0{width}}"
        strata = {**sample.strata, DIMENSION: label}
        yield replace(sample, id=f"{sample.id}~v{label}", base=sample.id, strata=strata)
