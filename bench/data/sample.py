"""Sample: what is asked of which volume, and the reference answer. Pure values; nothing is loaded here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from m3dbench.metrics.pairs import Box

AnswerKind = Literal["choice", "text", "box", "mask", "embedding"]
ANSWER_KINDS: tuple[AnswerKind, ...] = ("choice", "text", "box", "mask", "embedding")


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file of the data set: POSIX path relative to the data root, and the SHA-256 that the data set declares for it
    (empty where it declares none)."""

    path: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class MaskRef:
    """A mask file. ``label`` is None for a binary file, else the value of this object in a multi-label file."""

    path: str
    digest: str = ""
    label: int | None = None


def lettered(choices: Mapping[str, str]) -> str:
    """Offered choices in a line: ``A. axial B. coronal``."""
    return " ".join(f"{letter}. {text}" for letter, text in choices.items())


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, structured, with a default wording.

    kind: the kind of request (``choose``, ``answer``, ``report``, ``name_region``, ``locate``, ``segment``,
    ``match``; plug-in tasks may add their own). ``target`` is the class name when the request names it, ``description``
    a definition when the request describes instead, and for ``match`` the text to embed beside the volume. ``choices``
    maps the offered letters to texts. ``box`` is half-open fractions (d0, h0, w0, d1, h1, w1). ``wording`` is the
    default sentence, fixed by seed and sample id; everything else is the information content.
    """

    kind: str
    question: str = ""
    target: str = ""
    description: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    box: Box | None = None
    wording: str = ""

    def information(self) -> dict[str, Any]:
        """Everything but the wording: what two models must share to be comparable."""
        content = _without_defaults(self)
        content.pop("wording", None)
        return content


@dataclass(frozen=True, slots=True)
class Reference:
    """The right answer, as far as it is a small value; a mask stays a file.

    text: free text, or the choice's text. choice: the letter. box: half-open fractions, None when absent.
    names: accepted names of the class, canonical first. present: is the object in the volume; None where not known
    before the mask is read or not applicable.
    """

    text: str = ""
    choice: str = ""
    box: Box | None = None
    mask: MaskRef | None = None
    names: tuple[str, ...] = ()
    present: bool | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One item of a test set.

    id: unique within a task's test set and stable across machines. case: the unit of resampling (one patient or
    study). strata: dimension -> value, both plain text. volume: None when answers are scored without volumes.
    excluded: why no answer to it can be judged fairly; ``corrected`` scoring leaves it out and counts it under this
    reason, ``upstream`` scores it like any other. Empty for a sound sample. base: of one wording among several, the id
    that they share. note: what was repaired in the data for it, and why.
    """

    id: str
    case: str
    request: Request
    reference: Reference
    strata: Mapping[str, str] = field(default_factory=dict)
    volume: FileRef | None = None
    excluded: str = ""
    base: str = ""
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        return _without_defaults(self)

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Sample:
        request = dict(row["request"])
        reference = dict(row["reference"])
        for value in (request, reference):
            if value.get("box") is not None:
                value["box"] = tuple(value["box"])
        if reference.get("mask") is not None:
            reference["mask"] = MaskRef(**reference["mask"])
        if "names" in reference:
            reference["names"] = tuple(reference["names"])
        return Sample(
            id=row["id"],
            case=row["case"],
            request=Request(**request),
            reference=Reference(**reference),
            strata=row.get("strata", {}),
            volume=FileRef(**row["volume"]) if row.get("volume") else None,
            excluded=row.get("excluded", ""),
            base=row.get("base", ""),
            note=row.get("note", ""),
        )


def _without_defaults(value: Any) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for item in dataclasses.fields(value):
        content = getattr(value, item.name)
        if dataclasses.is_dataclass(content):
            content = _without_defaults(content)
        needed = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if content in ("", None, (), {}) and not needed:
            continue
        result[item.name] = dict(content) if isinstance(content, Mapping) else content
    return result
