"""What data sets offer, before any task asks anything: reports, questions, masks and referring questions.

Plug-ins may add kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from m3dbench.data.sample import FileRef, MaskRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Something on one volume. id: stable and unique within its kind and split; case: unit of resampling. note: what
    was repaired in it, and why; empty for what is as the data set has it."""

    id: str
    case: str
    volume: FileRef
    strata: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def unrepaired(self) -> Self:
        """As the data set has it, which is what upstream requests ask for."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRecord(Record):
    """A volume and its report."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRecord(Record):
    """A question on a volume. ``choices`` holds only those that the data set offers; ``letter`` is the right one's.
    Texts are as the file has them."""

    question: str
    answer: str
    letter: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskRecord(Record):
    """One class of one volume. ``name`` is the canonical class name, ``listed`` the data set's where that was repaired;
    ``definitions`` describe it, meant without naming it; ``ambiguous`` are those of them that describe another class of
    the same data set too."""

    mask: MaskRef
    name: str
    definitions: tuple[str, ...] = ()
    ambiguous: frozenset[str] = frozenset()
    listed: str = ""

    def unrepaired(self) -> Self:
        strata = {**self.strata, "class": self.listed} if self.listed else self.strata
        return replace(self, name=self.listed or self.name, strata=strata, note="", listed="")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxRecord(MaskRecord):
    """One class of one volume of which only a box is known. ``mask`` is that box, filled: it locates, it segments
    nothing, so only tasks that ask for boxes take such records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferringRecord(Record):
    """A question that refers to one object of a volume without a class name, and the answer that goes with its mask.

    kind: ``description`` (the question says what to look for) or ``reasoning`` (that has to be inferred). In
    ``answer`` the place of the mask is written ``[SEG]``.
    """

    mask: MaskRef
    kind: Literal["description", "reasoning"]
    question: str
    answer: str
