"""Referring expressions: the ways in which REC, REG and referring segmentation mean one object of a volume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from m3dbench.data.names import accepted_names
from m3dbench.data.records import MaskRecord, ReferringRecord
from m3dbench.data.sample import Request
from m3dbench.metrics.names import states_name
from m3dbench.task import Asking

Referable = MaskRecord | ReferringRecord
AMBIGUOUS = "the definition fits two classes"
UNSEEN = "the mask file has no voxel of the object that the question is about"


@dataclass(frozen=True)
class Expression:
    """One way to mean one object.

    id: of the sample. asked_by: ``name`` or ``definition`` of a class, ``description`` or ``reasoning`` of a question
    that the data set asks. text: the name, the definition or the question. names: accepted names of the class,
    canonical first, empty where the data set names none. excluded: why no answer can be judged fairly.
    """

    id: str
    asked_by: str
    text: str
    strata: Mapping[str, str]
    names: tuple[str, ...] = ()
    excluded: str = ""

    @property
    def name(self) -> str:
        """The canonical name, empty where there is none."""
        return self.names[0] if self.names else ""

    def request(self, kind: str, wording: str) -> Request:
        """A request that says what the expression says: as target, as description, or as question."""
        return Request(
            kind=kind,
            target=self.text if self.asked_by == "name" else "",
            description=self.text if self.asked_by == "definition" else "",
            question=self.text if self.asked_by in ("description", "reasoning") else "",
            wording=wording,
        )


def expressions(record: Referable, ask: Asking) -> Iterator[Expression]:
    """A class by its name and, where it has definitions, by one of them; a data set's question as it is.

    The stratum ``definition`` says of what quality a definition is: ``clean``, ``names_class`` or ``ambiguous``.
    """
    if isinstance(record, ReferringRecord):
        # The question presupposes its object, so unlike an absent class a lost one asks nothing.
        unseen = "" if ask.mask(record.mask).any() else UNSEEN
        strata = {**record.strata, "asked_by": record.kind}
        yield Expression(record.id, record.kind, record.question, strata, excluded=unseen)
        return
    names = accepted_names(record.name)
    strata = {**record.strata, "asked_by": "name"}
    yield Expression(f"{record.id}:name", "name", record.name, strata, names)
    if ask.described(record.name, record.definitions):
        sample_id = f"{record.id}:definition"
        text = ask.definition(sample_id, record.name, record.definitions)
        flaw = "ambiguous" if text in record.ambiguous else "names_class" if states_name(text, names) else "clean"
        strata = {**record.strata, "asked_by": "definition", "definition": flaw}
        excluded = AMBIGUOUS if flaw == "ambiguous" else ""
        yield Expression(sample_id, "definition", text, strata, names, excluded)
