"""The summary of a task: every value with its interval and its denominators, micro, macro and per stratum."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from m3dbench.runs.tally import OVERALL, Cell, Tally
from m3dbench.stats.intervals import Interval, interval, macro_interval
from m3dbench.task import Scoring

SEED = 20260101


@dataclass(frozen=True)
class Value:
    """A metric on a subset.

    value: the headline, over n_planned less n_unscored, a failed answer counting as the worst; None where undefined.
    scored_value: over the scored alone. n_planned = n_scored + n_failed + n_unscored; n_not_applicable lie outside.
    """

    value: float | None
    scored_value: float | None
    interval: Interval | None
    n_planned: int
    n_scored: int
    n_failed: int
    n_unscored: int
    n_not_applicable: int
    n_cases: int
    chance: float | None


@dataclass(frozen=True)
class Macro:
    """The unweighted mean of the values of a dimension's strata, of those where the metric is defined."""

    dimension: str
    value: float | None
    interval: Interval | None
    strata: int


@dataclass(frozen=True)
class Spread:
    """A metric over the wordings of the same samples: the value under each, and how far they lie apart.

    values: variant -> micro value, None where undefined. sd: sample standard deviation of the defined ones (n - 1).
    """

    values: Mapping[str, float | None]
    minimum: float
    maximum: float
    sd: float


@dataclass(frozen=True)
class MetricSummary:
    """One metric under one scoring.

    worst: None where every sample has its own. quirks: id of a quirk of the reference -> items on which it acts.
    spread: over several wordings a sample, None in a run with one; ``micro`` then pools the wordings.
    """

    metric: str
    scoring: Scoring
    direction: str
    worst: float | None
    signature: str
    micro: Value
    macro: Macro | None
    strata: Mapping[str, Mapping[str, Value]]
    unscored_reasons: Mapping[str, int]
    quirks: Mapping[str, int]
    spread: Spread | None = None


@dataclass(frozen=True)
class Drop:
    """A metric on the plain run less the same on a control, over the samples with statistics in both.

    drop = plain - control; None where undefined. ``interval``: over cases, of the drop.
    """

    metric: str
    scoring: Scoring
    plain: float | None
    control: float | None
    drop: float | None
    interval: Interval | None
    n_samples: int
    n_cases: int


@dataclass(frozen=True)
class ControlSummary:
    """A control and what it costs. against: the plain run's folder, empty where there was none to compare with."""

    name: str
    against: str = ""
    drops: tuple[Drop, ...] = ()


@dataclass(frozen=True)
class JudgeSummary:
    """What is to be known about a language model's scores.

    metric: the headline metric it judged. unscored_rate: unscored / n_planned; above ``max_unscored`` the scores are
    not ``publishable``. failures: why samples went unscored -> how many. upstream_lost: scores that the reference's own
    pattern cannot read, None where it does not apply. usage: tokens, cost where prices are known, and the models that
    the endpoint named. audit: ``digest`` and ``fit`` of the audit that was given of this judge, empty without one.
    """

    metric: str
    model: str
    rubric: str
    signature: str
    unscored: int
    unscored_rate: float
    max_unscored: float
    failures: Mapping[str, int]
    publishable: bool
    upstream_lost: int | None
    usage: Mapping[str, Any]
    audit: Mapping[str, Any]


@dataclass(frozen=True)
class TaskSummary:
    """Everything a leaderboard or a comparison reads of a task's run.

    predictions: counts by status. ids: missing, duplicate and unknown ids of a scored file. excluded: why ``corrected``
    scoring leaves samples out -> how many. repaired: what was repaired in the data, or is wrong with it -> samples.
    control: set where the model was shown something else than the data; such values are no results. splits:
    sub-dataset -> how its split was made, where that is not as released. apart: dimensions of a stratum file.
    prediction_reasons: why predictions ended otherwise than ``ok`` -> how many. notes: what the adapter noted of its
    answers ("no [SEG]") -> of how many.
    """

    task: str
    version: str
    title: str
    model: str
    role: str
    test_set: str
    data: str
    samples: int
    cases: int
    primary: str
    predictions: Mapping[str, int]
    ids: Mapping[str, int]
    metrics: tuple[MetricSummary, ...]
    excluded: Mapping[str, int] = field(default_factory=dict)
    repaired: Mapping[str, int] = field(default_factory=dict)
    control: ControlSummary | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    prediction_reasons: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    judges: tuple[JudgeSummary, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def metric(self, name: str, scoring: Scoring = "corrected") -> MetricSummary | None:
        """The summary of one metric, None where the run does not have it."""
        return next((item for item in self.metrics if item.metric == name and item.scoring == scoring), None)


def summarise(tallies: Mapping[Scoring, list[Tally]], macro: str, variants: str = "") -> tuple[MetricSummary, ...]:
    """Values with intervals from the tallies. ``macro`` is the dimension of the macro average, ``variants`` that of the
    wordings of the same samples; empty for none."""
    return tuple(_metric(tally, scoring, macro, variants) for scoring, chosen in tallies.items() for tally in chosen)


def _metric(tally: Tally, scoring: Scoring, macro: str, variants: str) -> MetricSummary:
    metric = tally.metric
    dimensions = tally.dimensions()
    strata = {
        dimension: {value: _value(tally, cell, resample=False) for value, cell in cells.items()}
        for dimension, cells in dimensions.items()
    }
    return MetricSummary(
        metric=metric.name,
        scoring=scoring,
        direction=metric.direction,
        worst=metric.worst,
        signature=metric.signature,
        micro=_value(tally, tally.cells[OVERALL], resample=True),
        macro=_macro(tally, macro, dimensions[macro]) if macro in dimensions else None,
        strata=strata,
        unscored_reasons=tally.reasons.to_json(),
        quirks=dict(sorted(tally.quirks.items())),
        spread=_spread(strata.get(variants, {})),
    )


def _spread(cells: Mapping[str, Value]) -> Spread | None:
    values = {variant: cell.value for variant, cell in cells.items()}
    defined = [value for value in values.values() if value is not None]
    if len(defined) < 2:
        return None
    return Spread(values, min(defined), max(defined), float(np.std(defined, ddof=1)))


def _value(tally: Tally, cell: Cell, *, resample: bool) -> Value:
    """``resample`` allows the bootstrap that corpus metrics need, too slow for every stratum."""
    metric = tally.metric
    found: Interval | None = None
    if cell.sums and (resample or metric.family != "corpus"):
        found = interval(metric.family, cell.statistics(), metric.aggregate, SEED, bounds=metric.bounds)
    return Value(
        value=_finite(tally, sum(cell.sums.values()) if cell.sums else None),
        scored_value=_finite(tally, cell.scored),
        interval=found,
        n_planned=cell.planned,
        n_scored=cell.counts["scored"],
        n_failed=cell.counts["failed"],
        n_unscored=cell.counts["unscored"],
        n_not_applicable=cell.counts["not_applicable"],
        n_cases=len(cell.sums),
        chance=_finite(tally, cell.chance),
    )


def _macro(tally: Tally, dimension: str, cells: Mapping[str, Cell]) -> Macro:
    used = [cell for cell in cells.values() if cell.sums and _finite(tally, sum(cell.sums.values())) is not None]
    if not used:
        return Macro(dimension, None, None, 0)
    cases = list(dict.fromkeys(case for cell in used for case in cell.sums))
    statistics = np.zeros((len(cases), len(used), len(next(iter(used[0].sums.values())))))
    place = {case: row for row, case in enumerate(cases)}
    for column, cell in enumerate(used):
        for case, sums in cell.sums.items():
            statistics[place[case], column] = sums
    values = tally.metric.aggregate(statistics.sum(axis=0))
    mean = float(np.mean(values))
    metric = tally.metric
    found = (
        macro_interval(statistics, metric.aggregate, SEED, family=metric.family, bounds=metric.bounds)
        if math.isfinite(mean)
        else None
    )
    return Macro(dimension, mean if math.isfinite(mean) else None, found, len(used))


def _finite(tally: Tally, sums: Any) -> float | None:
    if sums is None:
        return None
    value = float(tally.metric.aggregate(np.asarray(sums, dtype=np.float64)))
    return value if math.isfinite(value) else None


def worst_strata(item: MetricSummary, dimension: str, count: int = 5) -> list[tuple[str, Value]]:
    """The strata of a dimension with the worst headline values, worst first; those without a value are left out."""
    valued = [(value.value, name, value) for name, value in item.strata.get(dimension, {}).items()]
    sign = 1 if item.direction == "higher" else -1
    ranked = sorted((sign * number, name, value) for number, name, value in valued if number is not None)
    return [(name, value) for _, name, value in ranked[:count]]


def count_statuses(counts: Counter[str]) -> dict[str, int]:
    """Predictions by status, the usual ones always present."""
    return {status: counts[status] for status in ("ok", "error", "refused", "missing")}
