"""The contract of a task: how a sample is asked, and which metrics judge the answers. At most about 40 lines each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from m3dbench.data.records import Record
from m3dbench.data.sample import AnswerKind, MaskRef, Sample
from m3dbench.data.seeds import pick, shuffled
from m3dbench.wording import Slot, Wordings, fill

Scoring = Literal["corrected", "upstream"]
R = TypeVar("R", bound=Record)
SCORINGS: tuple[Scoring, ...] = ("corrected", "upstream")


@dataclass(frozen=True)
class Asking:
    """What a task may use to word its samples. Every draw is fixed by seed and sample id.

    mask: the reader of reference masks (D, H, W). words: where sentences come from. variant: which of a slot's
    sentences every sample gets; None: one drawn per sample.
    """

    seed: int
    mask: Callable[[MaskRef], npt.NDArray[np.bool_]]
    words: Wordings = field(default_factory=Wordings)
    variant: int | None = None

    @property
    def upstream(self) -> bool:
        """Requests are made as the reference makes them."""
        return self.words.requests == "upstream"

    def wording(self, sample_id: str, slot: Slot, *values: str) -> str:
        """A sentence of the slot, its ``{}`` filled with the values."""
        sentences = self.words.sentences(slot)
        if self.variant is None:
            return fill(pick(sentences, self.seed, "wording", sample_id), values)
        order = shuffled(dict.fromkeys(sentences), self.seed, "variants", slot.name)
        return fill(order[self.variant % len(order)], values)

    def answer(self, sample_id: str, slot: Slot, *values: str) -> str:
        """A reference text from the slot; the same for every variant of the wording."""
        return fill(pick(self.words.sentences(slot), self.seed, "answer", sample_id), values)

    def definition(self, sample_id: str, name: str, own: Sequence[str]) -> str:
        """A definition of the class ``name``; ``own`` are the data set's."""
        return pick(self.words.definitions(name, own), self.seed, "definition", sample_id)

    def described(self, name: str, own: Sequence[str]) -> bool:
        """Whether a class has definitions to ask for it by."""
        return bool(self.words.definitions(name, own))


class Task(ABC, Generic[R]):
    """A task of the benchmark.

    version: raised when sample conversion, default wording, reference mapping or metrics change.
    answer: what kind of answer is asked for. records: the kinds of record it is made from, in this order.
    metrics: metric entry points per scoring; ``primary`` is the corrected metric that decides comparisons.
    macro: the stratum dimension over which the macro average is taken, empty for none.
    parts: sub-datasets used by default where present; empty means all. slots: the sentences that samples are worded
    with; none where the wording is the question itself. answers: those that reference texts are made of. hub_kind: what
    the Hugging Face hub calls tasks of its kind, on a model's card; empty: the task's own name.
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
    slots: ClassVar[tuple[Slot, ...]] = ()
    answers: ClassVar[tuple[Slot, ...]] = ()
    hub_kind: ClassVar[str] = ""

    @abstractmethod
    def samples(self, record: R, ask: Asking) -> Iterator[Sample]:
        """The samples made from one record of a declared kind."""
