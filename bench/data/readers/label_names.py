"""Class names of M3D-Seg: known mistakes in the published lists repaired, each with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from m3dbench.data.names import accepted_names
from m3dbench.metrics.names import words

TWICE = "is named so a second time"
SPELLING = "is a misspelling"


@dataclass(frozen=True, slots=True)
class Label:
    """A class as it is asked for. listed: its name in dataset_info.json; note: why they differ, where the definitions
    come from if not from its own entry, or what is wrong and could not be repaired; empty for a sound one."""

    name: str
    listed: str
    definitions: tuple[str, ...]
    note: str = ""


# (code, index) -> (the name there, the right one, why). Only the very name that was published is replaced.
KNOWN: Mapping[tuple[str, int], tuple[str, str, str]] = {
    ("0009", 39): ("small intestin", "small intestine", SPELLING),
    ("0009", 30): ("metastasectomie", "metastasectomy", SPELLING),
    ("0014", 20): ("lumbar spine L1", "lumbar spine L2", TWICE),
    ("0015", 20): ("lumbar spine L1", "lumbar spine L2", TWICE),
    ("0014", 26): ("coccygis", "coccyx", SPELLING),
    ("0015", 26): ("coccygis", "coccyx", SPELLING),
}


def labels_of(code: str, listed: Sequence[str], dictionary: Mapping[str, Sequence[str]]) -> list[Label]:
    """The classes of a code, repaired, with their definitions."""
    repaired = [_name(code, index, name) for index, name in enumerate(listed)]
    count = Counter(name for name, _ in repaired)
    return [
        _label(name, listed[index], why, dictionary, count[name], index) for index, (name, why) in enumerate(repaired)
    ]


def _name(code: str, index: int, listed: str) -> tuple[str, str]:
    wrong, right, why = KNOWN.get((code, index), ("", "", ""))
    return (right, why) if wrong == listed else (listed, "")


def _label(name: str, listed: str, why: str, dictionary: Mapping[str, Sequence[str]], same: int, index: int) -> Label:
    notes = [f"class {index}, {listed!r}, {why}: asked for as {name!r}"] if why else []
    key = listed if why == SPELLING and name not in dictionary else _entry(name, dictionary)
    if key is not None and key not in (name, listed) and dictionary:
        notes.append(f"{name!r} has no definitions in term_dictionary.json: those of {key!r} are used")
    if key is None and dictionary:
        notes.append(f"{name!r} has no definitions in term_dictionary.json")
    if same > 1:
        notes.append(f"{name!r} is the name of {same} classes, so a request does not tell which is meant")
    return Label(name, listed, tuple(dictionary.get(key or "", ())), "; ".join(notes))


def _entry(name: str, dictionary: Mapping[str, Sequence[str]]) -> str | None:
    """The dictionary's key for a class: its name, else one that says the same in other words."""
    if name in dictionary:
        return name
    own = _forms(name)
    return next((key for key in dictionary if own & _forms(key)), None)


def _forms(name: str) -> set[str]:
    return {" ".join(words(form)) for form in accepted_names(" ".join(name.replace("_", " ").split()))}
