"""Leaks between parts: pairs of cases, each with all evidence, and the strata that follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from m3dbench.data.audit import texts, volumes
from m3dbench.data.audit.cases import Case, Cases, Part
from m3dbench.progress import Progress

LEAK_KINDS = ("case", "text", "normalised text", "near text", "volume")
"""Strongest first; a pair is named by its strongest evidence."""
BETWEEN: tuple[tuple[Part, Part], ...] = (("test", "train"), ("validation", "train"), ("test", "validation"))
MOST_PARTNERS = 20
"""Other cases told of one case; more of them say nothing more."""


@dataclass
class Leak:
    """A case of ``part`` and one of ``other_part`` that share something. evidence: kind -> how it was seen."""

    case: Case
    other: Case
    evidence: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return next(kind for kind in LEAK_KINDS if kind in self.evidence)

    def to_json(self) -> dict[str, Any]:
        """Like the phantom's ``planted_leaks``, with the evidence."""
        sides: dict[str, str] = {self.case.part: self.case.folder, self.other.part: self.other.folder}
        return {"kind": self.kind, **sides, "case": self.case.id, "evidence": self.evidence}


@dataclass(frozen=True)
class VolumeCounts:
    """Volumes compared, and those that are not there or cannot be read."""

    compared: int = 0
    unreadable: int = 0


def find_leaks(
    cases: Cases, root: Path, *, with_volumes: bool, workers: int, progress: Progress
) -> tuple[list[Leak], VolumeCounts]:
    """All pairs of cases of different parts that share their id, a text or a volume; sorted."""
    found: dict[tuple[int, int], Leak] = {}

    def leak(case: Case, other: Case) -> Leak:
        return found.setdefault((id(case), id(other)), Leak(case, other))

    for part, other_part in BETWEEN:
        ours, theirs = cases.of(part), cases.of(other_part)
        for case in ours:
            if (other := cases.find(other_part, case.id)) is not None:
                leak(case, other).evidence["case"] = "the same case"
        with progress.stage(f"comparing texts: {part}, {other_part}", None):
            for match in texts.matches(ours, theirs):
                told = "equal" if match.similarity == 1 else f"{match.similarity:.2f} of the word triples"
                leak(match.case, match.other).evidence.setdefault(match.kind, told)
    counts = VolumeCounts()
    if with_volumes:
        counts = _by_volumes(cases, root, leak, workers, progress)
    return _capped(sorted(found.values(), key=_order)), counts


def _by_volumes(cases: Cases, root: Path, leak: Any, workers: int, progress: Progress) -> VolumeCounts:
    named: dict[Part, list[tuple[Case, str]]] = {
        part: [(case, path) for case in cases.of(part) for path in case.volumes]
        for part in ("train", "validation", "test")
    }
    total = sum(map(len, named.values()))
    signed = {}
    with progress.stage("hashing volumes", total) as advance:
        for part, volumes_of in named.items():
            paths = [path for _, path in volumes_of]
            signed[part] = paths, volumes.signatures(root, paths, workers, advance, turned=part != "train")
    for part, other_part in BETWEEN:
        with progress.stage(f"comparing volumes: {part}, {other_part}", None):
            same = _same_case(named[part], named[other_part])
            for match in volumes.matches(root, signed[part], signed[other_part], same):
                (case, path), (other, twin) = named[part][match.place], named[other_part][match.other]
                told = f"{path} and {twin} correlate to {match.correlation:.3f}"
                leak(case, other).evidence.setdefault("volume", told)
    readable = sum(int(np.count_nonzero(found.readable)) for _, found in signed.values())
    return VolumeCounts(readable, total - readable)


def _same_case(ours: Sequence[tuple[Case, str]], theirs: Sequence[tuple[Case, str]]) -> Iterator[tuple[int, int]]:
    """Places of volumes of one case: that pair is known already."""
    places: dict[str, list[int]] = {}
    for place, (other, _) in enumerate(theirs):
        places.setdefault(other.id, []).append(place)
    return ((place, other) for place, (case, _) in enumerate(ours) for other in places.get(case.id, ()))


def _order(leak: Leak) -> tuple[Any, ...]:
    place = BETWEEN.index((leak.case.part, leak.other.part))
    return place, LEAK_KINDS.index(leak.kind), leak.case.folder, leak.other.folder


def _capped(leaks: Sequence[Leak]) -> list[Leak]:
    told: dict[int, int] = {}
    kept = []
    for leak in leaks:
        told[id(leak.case)] = told.get(id(leak.case), 0) + 1
        if told[id(leak.case)] <= MOST_PARTNERS:
            kept.append(leak)
    return kept


def strata_rows(cases: Cases, leaks: Sequence[Leak]) -> Iterator[dict[str, str]]:
    """A row for every test and validation case: leaked where a train case shares something with it.

    A case that stands in both parts has one row.
    """
    why: dict[str, list[str]] = {}
    for leak in leaks:
        if leak.other.part == "train":
            why.setdefault(leak.case.id, []).append(f"{leak.kind}: {leak.other.folder} in train")
    for case_id in dict.fromkeys(case.id for case in sorted(cases.of("validation", "test"), key=lambda one: one.id)):
        told = "; ".join(why.get(case_id, []))
        yield {"case": case_id, "leak": "leaked", "reason": told} if told else {"case": case_id, "leak": "clean"}
