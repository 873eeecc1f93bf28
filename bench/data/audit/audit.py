"""A data directory audited: what its test sets share with its train sets, and what they give away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from m3dbench.data.audit import priors, texts
from m3dbench.data.audit.cases import PARTS, Cases, gather
from m3dbench.data.audit.leaks import BETWEEN, Leak, VolumeCounts, find_leaks, strata_rows
from m3dbench.data.dataset import DataSource
from m3dbench.parallel import processors
from m3dbench.progress import Progress, Silent

SCHEMA = 1


@dataclass(frozen=True)
class Audit:
    """What was found. language_priors: filled by who can run a blind baseline."""

    directory: str
    kind: str
    cases: Cases = field(repr=False)
    leaks: Sequence[Leak]
    volumes: VolumeCounts | None
    same_numbers: int
    letters: Sequence[priors.Letters]
    pools: Sequence[priors.Pool]
    definitions: Sequence[priors.Definitions]
    language_priors: Sequence[dict[str, Any]] = ()

    def strata(self) -> list[dict[str, str]]:
        """The rows of the stratum file."""
        return list(strata_rows(self.cases, self.leaks))

    def counts(self) -> dict[str, dict[str, int]]:
        """Per pair of parts that both have cases, leaking cases of the first by kind."""
        told: dict[str, dict[str, int]] = {}
        for part, other in BETWEEN:
            if not (self.cases.of(part) and self.cases.of(other)):
                continue
            kinds = {
                leak.case.id: leak.kind
                for leak in reversed(self.leaks)
                if (leak.case.part, leak.other.part) == (part, other)
            }
            told[f"{part} in {other}"] = dict(sorted(Counter(kinds.values()).items()))
        return told

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "directory": self.directory,
            "kind": self.kind,
            "cases": {part: len(self.cases.of(part)) for part in PARTS},
            "leaking_cases": self.counts(),
            "leaks": [leak.to_json() for leak in self.leaks],
            "same_numbers": self.same_numbers,
            "volumes": asdict(self.volumes) if self.volumes is not None else None,
            "letters": [{**asdict(one), "best_letter": one.best_letter, "skewed": one.skewed} for one in self.letters],
            "language_priors": list(self.language_priors),
            "pools": [asdict(one) for one in self.pools],
            "definitions": [asdict(one) for one in self.definitions],
        }


def audit(
    source: DataSource, *, with_volumes: bool = True, workers: int | None = None, progress: Progress | None = None
) -> Audit:
    """Audit everything at the directory. ``with_volumes`` reads every volume once.

    Raises DataError where a list or a text cannot be read, UserError where a package is missing.
    """
    progress = progress or Silent()
    with progress.stage("reading lists and texts", None):
        cases = gather(source)
    leaks, counts = find_leaks(
        cases, source.root.path, with_volumes=with_volumes, workers=workers or processors(), progress=progress
    )
    with progress.stage("answers and definitions", None):
        return Audit(
            directory=str(source.root.path),
            kind=source.root.kind,
            cases=cases,
            leaks=leaks,
            volumes=counts if with_volumes else None,
            same_numbers=texts.same_number(cases.of("test"), cases.of("train")),
            letters=priors.letters(source),
            pools=priors.pools(source),
            definitions=priors.definitions(source),
        )
