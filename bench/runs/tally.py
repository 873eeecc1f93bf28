"""Running sums of one metric: per case, overall and per stratum, with the counts behind every value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from m3dbench.data.sample import Sample
from m3dbench.metrics.core import FloatArray, Metric, Outcome, Statistics
from m3dbench.runs.reasons import Reasons

OVERALL = ("", "")


@dataclass
class Cell:
    """One metric on one subset. ``sums``: case -> sums of statistics; ``scored``: sums without the failed."""

    counts: Counter[str] = field(default_factory=Counter)
    sums: dict[str, FloatArray] = field(default_factory=dict)
    scored: FloatArray | None = None
    chance: FloatArray | None = None

    def add(self, case: str, outcome: Outcome, chance: Statistics | None) -> None:
        self.counts[outcome.status] += 1
        if outcome.statistics is None:
            return
        statistics = np.asarray(outcome.statistics, dtype=np.float64)
        self.sums[case] = self.sums[case] + statistics if case in self.sums else statistics
        if outcome.status == "scored":
            self.scored = statistics if self.scored is None else self.scored + statistics
        if chance is not None:
            guess = np.asarray(chance, dtype=np.float64)
            self.chance = guess if self.chance is None else self.chance + guess

    def statistics(self) -> FloatArray:
        """Sums per case, (cases, k), cases in the order they came."""
        return np.stack(list(self.sums.values()))

    @property
    def planned(self) -> int:
        """Samples to which the metric applies."""
        return self.counts.total() - self.counts["not_applicable"]


class Tally:
    """All cells of one metric under one scoring, why samples went unscored, and which quirks acted on how many."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.cells: dict[tuple[str, str], Cell] = {OVERALL: Cell()}
        self.reasons = Reasons()
        self.quirks: Counter[str] = Counter()

    def add(
        self,
        sample: Sample,
        outcome: Outcome,
        chance: Statistics | None = None,
        strata: Mapping[str, str] | None = None,
    ) -> None:
        """Count one sample in the overall cell and in the cell of each of its strata, by default the sample's own."""
        for key in (OVERALL, *(sample.strata if strata is None else strata).items()):
            self.cells.setdefault(key, Cell()).add(sample.case, outcome, chance)
        if outcome.status == "unscored":
            self.reasons.add(outcome.reason)
        if outcome.quirk:
            self.quirks[outcome.quirk] += 1

    def dimensions(self) -> dict[str, dict[str, Cell]]:
        """Stratum dimension -> value -> cell, both sorted."""
        found: dict[str, dict[str, Cell]] = {}
        for (dimension, value), cell in sorted(self.cells.items()):
            if (dimension, value) != OVERALL:
                found.setdefault(dimension, {})[value] = cell
        return found
