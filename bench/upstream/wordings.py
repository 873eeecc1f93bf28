"""Requests and reference texts as the reference makes them, from imported sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

from m3dbench.errors import UserError
from m3dbench.upstream.checkout import TEMPLATES, TERMS, Templates
from m3dbench.wording import Slot, Wordings, places

LETTERS = "ABCD"
MISSING = "nan"
# What pandas.read_csv takes for a missing value unless told otherwise (Q-VQA-3).
READ_AS_MISSING = frozenset(
    [
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
        "",
    ]
)


class UpstreamWordings(Wordings):
    """The reference's sentences, drawn by seed and sample id instead of by worker (Q-PROMPT-2).

    A sentence with more places than values is never drawn: the reference fails on it and asks about another sample in
    its place (Q-LOAD-1). Such sentences exist, where a comma between two is missing; ``left_out`` counts them.
    """

    requests: ClassVar[str] = "upstream"

    def __init__(self, templates: Templates) -> None:
        self.digest = templates.digest
        self.templates = templates
        self._usable = lru_cache(maxsize=None)(self._find_usable)

    def sentences(self, slot: Slot) -> Sequence[str]:
        return self._usable(slot) if slot.imported else slot.sentences

    def definitions(self, name: str, own: Sequence[str]) -> Sequence[str]:
        found = self.templates.terms.get(name)
        if found is None:
            raise UserError(
                f"the imported term dictionary does not define the class {name!r}",
                file=self.templates.folder / TERMS,
                field=name,
                fix="upstream requests ask for every class by definition too; use a checkout that defines it",
            )
        return found

    def cell(self, text: str) -> str:
        return MISSING if text in READ_AS_MISSING else text

    def choices(self, offered: Mapping[str, str]) -> Mapping[str, str]:
        """All four letters, ``nan`` where the data set offers none."""
        return {letter: self.cell(offered.get(letter, "")) for letter in LETTERS}

    def left_out(self, slots: Iterable[Slot]) -> dict[str, int]:
        shared = [slot for slot in slots if slot.imported]
        counts = {slot.name: len(self._imported(slot.name)) - len(self._usable(slot)) for slot in shared}
        return {name: count for name, count in counts.items() if count}

    def _find_usable(self, slot: Slot) -> tuple[str, ...]:
        sentences = self._imported(slot.name)
        usable = tuple(sentence for sentence in sentences if not slot.places or places(sentence) <= slot.places)
        if not usable:
            raise UserError(
                f"every sentence asks for more than {slot.places} values",
                file=self.templates.folder / TEMPLATES,
                field=slot.name,
            )
        return usable

    def _imported(self, name: str) -> Sequence[str]:
        if name not in self.templates.sentences:
            raise UserError(
                f"the imported templates hold no {name!r}",
                file=self.templates.folder / TEMPLATES,
                field=name,
                fix="give --templates an unchanged checkout, or use --requests default",
            )
        return self.templates.sentences[name]
