"""How far two runs differ case by case: what a power calculation starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from m3dbench import registry
from m3dbench.report.comparison.comparable import comparability
from m3dbench.report.comparison.samples import paired_samples
from m3dbench.runs.folder import RunFolder
from m3dbench.stats.power import case_spread


@dataclass(frozen=True)
class Spread:
    """spread: standard deviation over cases of the difference in the metric (``stats.power.case_spread``)."""

    metric: str
    cases: int
    spread: float


def primary_spread(base: RunFolder, candidate: RunFolder, task: str) -> Spread | str:
    """The spread of the primary metric's difference, or why there is none."""
    primary: str = registry.create("tasks", task).primary
    if refusal := comparability(base, candidate, task, primary, ()).refusal:
        return refusal
    sums: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
    key = ("corrected", primary)
    for sample, one, other in paired_samples(base.task(task), candidate.task(task)):
        if key in one and key in other:
            both = np.asarray((one[key], other[key]), dtype=np.float64)
            sums[sample["case"]] = sums[sample["case"]] + both if sample["case"] in sums else both
    if len(sums) < 2:
        return f"{len(sums)} cases with {primary} in both runs say nothing about spread"
    stacked = np.stack(list(sums.values()))
    if stacked.shape[2] != 2 or not np.array_equal(stacked[:, 0, 1], stacked[:, 1, 1]):
        return f"{primary} is neither a mean nor a rate"
    spread = case_spread(stacked[:, 1], stacked[:, 0])
    if spread == 0:
        return "the runs differ alike in every case, which says nothing about spread: give two releases that differ"
    return Spread(primary, len(stacked), spread)
