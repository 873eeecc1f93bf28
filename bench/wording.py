"""How samples are worded: the slots that tasks name, and the source of sentences that fills them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a sentence.

    name: where a checkout of the reference keeps such sentences (``PosREC_templates.cls_questions``), or words with
    spaces between where it has none: the sentences are then ours under upstream requests too. places: how many values
    are filled in for ``{}``; with none, a sentence stands as it is. sentences: ours.
    """

    name: str
    places: int
    sentences: tuple[str, ...]

    @property
    def imported(self) -> bool:
        """Whether a checkout holds such sentences."""
        return " " not in self.name


class Wordings:
    """Our own requests: each slot's own sentences, everything else as the data set has it."""

    requests: ClassVar[str] = "default"
    digest: str | None = None
    """Hash of the imported sentences and definitions; None where nothing was imported."""

    def sentences(self, slot: Slot) -> Sequence[str]:
        """The sentences to draw from, never none."""
        return slot.sentences

    def left_out(self, slots: Iterable[Slot]) -> dict[str, int]:
        """Slot -> number of its sentences that are never drawn. Raises UserError for an unknown slot."""
        return {}

    def definitions(self, name: str, own: Sequence[str]) -> Sequence[str]:
        """The definitions of a class, ``own`` being the data set's. Empty: the class is asked for by name alone."""
        return own

    def cell(self, text: str) -> str:
        """A text of a table, as a request or a reference holds it."""
        return text.strip()

    def choices(self, offered: Mapping[str, str]) -> Mapping[str, str]:
        """Letter -> text of the options shown."""
        return offered


def places(sentence: str) -> int:
    """How many ``{}`` a sentence has. Raises ValueError for any other field: a format may read attributes and fill
    the memory, and sentences come from files."""
    count = 0
    for _, name, specification, conversion in Formatter().parse(sentence):
        if name is not None:
            if name or specification or conversion:
                raise ValueError(f"{{{name}}} is not a plain {{}}")
            count += 1
    return count


def fill(sentence: str, values: Sequence[str]) -> str:
    """The sentence with its ``{}`` filled in order; verbatim where there is nothing to fill in."""
    return sentence.format(*values) if values else sentence
