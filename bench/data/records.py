"""What data sets offer, before any task asks anything: reports, questions and masks. Plug-ins may add kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from m3dbench.data.sample import FileRef, MaskRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Something on one volume. id: stable and unique within its kind and split; case: unit of resampling."""

    id: str
    case: str
    volume: FileRef
    strata: Mapping[str, str] = field(default_factory=dict)


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
    """One class of one volume. ``name`` is the canonical class name; ``definitions`` describe it without naming it."""

    mask: MaskRef
    name: str
    definitions: tuple[str, ...] = ()
