"""The outcome of a check: counts by kind with the first few examples, however many findings there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from m3dbench.data.check.kinds import KINDS, SEVERITIES, Finding, Severity

SCHEMA = 1
EXAMPLES = 5


@dataclass(frozen=True)
class Size:
    """What a split holds. published: what the paper or the release says, empty where it says nothing or where the
    data is not the official one."""

    name: str
    counts: dict[str, int]
    published: dict[str, int] = field(default_factory=dict)

    @property
    def differing(self) -> list[str]:
        """What differs, as "rows 12 (published 13,791)"."""
        return [
            f"{what} {self.counts.get(what, 0):,} (published {number:,})"
            for what, number in self.published.items()
            if self.counts.get(what, 0) != number
        ]


class Report:
    """Findings gathered one by one; memory depends on the number of kinds alone."""

    def __init__(self, directory: str, kind: str, *, quick: bool = False, examples: int = EXAMPLES) -> None:
        self.directory = directory
        self.kind = kind
        self.quick = quick
        self.files = 0
        self.datasets: list[str] = []
        self.sizes: list[Size] = []
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[Finding]] = {}
        self._keep = examples

    def add(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.counts[finding.kind] += 1
            kept = self.examples.setdefault(finding.kind, [])
            if len(kept) < self._keep:
                kept.append(finding)

    def count(self, severity: Severity) -> int:
        """Findings of a severity."""
        return sum(number for kind, number in self.counts.items() if KINDS[kind].severity == severity)

    def kinds(self) -> list[str]:
        """The kinds found, the gravest and most frequent first."""
        rank = {severity: place for place, severity in enumerate(SEVERITIES)}
        return sorted(self.counts, key=lambda kind: (rank[KINDS[kind].severity], -self.counts[kind], kind))

    def to_json(self) -> dict[str, Any]:
        """The report as plain values; the same for the same data, whatever the number of processes."""
        return {
            "schema": SCHEMA,
            "directory": self.directory,
            "kind": self.kind,
            "quick": self.quick,
            "datasets": self.datasets,
            "files": self.files,
            **{f"{severity}s": self.count(severity) for severity in SEVERITIES},
            "findings": [
                {
                    "kind": kind,
                    "severity": KINDS[kind].severity,
                    "what": KINDS[kind].title,
                    "count": self.counts[kind],
                    "fix": KINDS[kind].fix,
                    "examples": [asdict(finding) for finding in self.examples[kind]],
                }
                for kind in self.kinds()
            ],
            "sizes": [{**asdict(size), "differing": size.differing} for size in self.sizes],
        }
