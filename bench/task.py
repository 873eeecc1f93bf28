"""The contract of a task: how a sample is asked, and which metrics judge the answers. At most about 40 lines each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from m3dbench.data.records import Record
from m3dbench.data.sample import AnswerKind, MaskRef, Sample
from m3dbench.data.seeds import pick

Scoring = Literal["corrected", "upstream"]
R = TypeVar("R", bound=Record)
SCORINGS: tuple[Scoring, ...] = ("corrected", "upstream")


@dataclass(frozen=True)
class Asking:
    """What a task may use to word its samples: the seed, and the reader of reference masks (D, H, W)."""

    seed: int
    mask: Callable[[MaskRef], npt.NDArray[np.bool_]]

    def wording(self, sample_id: str, *templates: str) -> str:
        """One of the task's sentences, fixed by seed and sample id."""
        return pick(templates, self.seed, "wording", sample_id)


class Task(ABC, Generic[R]):
    """A task of the benchmark.

    version: raised when sample conversion, default wording, reference mapping or metrics change.
    answer: what kind of answer is asked for. records: the kinds of record it is made from, in this order.
    metrics: metric entry points per scoring; ``primary`` is the corrected metric that decides comparisons.
    macro: the stratum dimension over which the macro average is taken, empty for none.
    parts: sub-datasets used by default where present; empty means all. tables: strata printed below the headline.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[str]
    answer: ClassVar[AnswerKind]
    records: ClassVar[tuple[type[Record], ...]]
    metrics: ClassVar[Mapping[Scoring, Sequence[str]]]
    primary: ClassVar[str]
    macro: ClassVar[str] = ""
    parts: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def samples(self, record: R, ask: Asking) -> Iterator[Sample]:
        """The samples made from one record of a declared kind."""
