"""What a comparison finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from m3dbench.stats.result import Interval

Verdict = Literal["pass", "regression", "inconclusive", "not comparable"]
SEVERITY: tuple[Verdict, ...] = ("regression", "not comparable", "inconclusive", "pass")
"""What a whole takes from its parts: the first of these that any part has."""


@dataclass(frozen=True)
class Paired:
    """A metric on the samples that both runs have statistics for.

    difference = candidate - base; worse is True where that is in the wrong direction. ``interval``: of the difference,
    over cases. p_worse: one-sided sign-flip p-value of the candidate being worse; p_two_sided likewise. mcnemar: exact
    p-value, for a rate with one item per case. effect: mean over cases of the difference in standard deviations.
    wins, losses, ties: samples on which the candidate is better, worse, the same. left_out: samples that only
    one of the runs has statistics for, be it that the other lacks the sample or that its scorer gave no value.
    """

    metric: str
    scoring: str
    direction: str
    base: float | None
    candidate: float | None
    difference: float | None
    interval: Interval | None
    p_worse: float | None
    p_two_sided: float | None
    mcnemar: float | None
    effect: float | None
    wins: int
    losses: int
    ties: int
    n_samples: int
    n_cases: int
    left_out: int

    @property
    def worse(self) -> bool:
        if not self.difference:
            return False
        return (self.difference < 0) == (self.direction == "higher")


@dataclass(frozen=True)
class Flip:
    """A sample whose value of the primary metric changed."""

    id: str
    case: str
    base: float
    candidate: float


@dataclass(frozen=True)
class TaskComparison:
    """One task of two runs. metrics: the primary first. strata: dimension -> value -> the primary metric there.

    not_comparable: why the runs may not be compared, empty where they may. allowed: differing facts that the user let
    pass. skipped: metric (scoring) -> why it is not compared. identical: every prediction is the same.
    """

    task: str
    primary: str
    metrics: tuple[Paired, ...] = ()
    strata: Mapping[str, Mapping[str, Paired]] = field(default_factory=dict)
    flips: tuple[Flip, ...] = ()
    identical: bool = False
    not_comparable: str = ""
    allowed: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)

    def metric(self, name: str, scoring: str = "corrected") -> Paired | None:
        return next((item for item in self.metrics if item.metric == name and item.scoring == scoring), None)


@dataclass(frozen=True)
class Check:
    """One line of a gate: what was looked at, what was found, and what follows."""

    task: str
    name: str
    verdict: Verdict
    found: str
    required: str
    why: str = ""


@dataclass(frozen=True)
class RunComparison:
    """A candidate held against a base; ``checks`` and ``verdict`` only where a gate was applied."""

    base: str
    candidate: str
    tasks: tuple[TaskComparison, ...]
    checks: tuple[Check, ...] = ()
    verdict: Verdict | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict of a whole; nothing at all is ``not comparable``, since no sample never passes."""
    return next((verdict for verdict in SEVERITY if verdict in verdicts), "not comparable")
