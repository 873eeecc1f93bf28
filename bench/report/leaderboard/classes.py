"""Who may be ranked with whom, and in which order: comparability classes, paired tests, places."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.manifest import canonical
from m3dbench.errors import UserError
from m3dbench.metrics.core import FloatArray, Metric
from m3dbench.report.leaderboard.scores import read_scores
from m3dbench.report.leaderboard.submission import Submitted, SubmittedTask
from m3dbench.runs.summary import SEED
from m3dbench.stats.allpairs import all_pairs
from m3dbench.stats.multiplicity import holm

ORACLE = "returns the references: a ceiling, not a model"


@dataclass(frozen=True)
class Candidate:
    """One task of one submission. place: the submission's folder."""

    record: Submitted
    part: SubmittedTask
    place: Path

    @property
    def id(self) -> str:
        return f"{self.record.submission}/{self.part.summary.task}"

    def value(self) -> float | None:
        item = self.part.summary.metric(self.part.summary.primary)
        return None if item is None else item.micro.value


@dataclass(frozen=True)
class Placed:
    """A candidate's place; ``rank`` None with the reason in ``unranked``."""

    candidate: Candidate
    rank: int | None = None
    best: int | None = None
    worst: int | None = None
    unranked: str = ""


def common_facts(part: SubmittedTask) -> dict[str, Any]:
    """What the entries of a ranking must have in common: the comparable facts, and who judged under which rules."""
    judges = {judge.metric: judge.signature for judge in part.summary.judges}
    plain: dict[str, Any] = json.loads(canonical({**part.facts.comparable, "judges": judges}))
    return plain


def class_of(part: SubmittedTask) -> str:
    """The comparability class: equal for equal facts only."""
    return hashlib.sha256(canonical(common_facts(part)).encode()).hexdigest()


def places(candidates: Sequence[Candidate], metric: Metric | None, alpha: float) -> list[Placed]:
    """The candidates of one class with their places, ranked ones first, each part by value and then by id.
    Raises UserError where entries of the class group the samples into other cases.

    Every two ranked candidates are held against each other by the two-sided case-level sign-flip test of the primary
    metric, Holm-corrected over all of these pairs. Going down by value, a candidate shares the rank of the best of the
    group above unless it is told from that one; else its rank is its position and it begins a group. The best place
    compatible with the data is one more than the number of candidates told to be better, the worst the number of ranked
    ones less those told to be worse; both are widened to hold the rank.
    """
    numbers: dict[str, int] = {}
    scores = {item.id: _read(item, numbers) for item in candidates}
    scored = {sample for item in candidates if _eligible(item) for sample in scores[item.id].samples}
    reasons = {item.id: _unranked(item, metric, len(scored.difference(scores[item.id].samples))) for item in candidates}
    sign = -1 if metric is not None and metric.direction == "higher" else 1
    order = sorted(candidates, key=lambda item: (sign * (item.value() or 0.0), item.id))
    ranked = [item for item in order if not reasons[item.id]]
    rest = [Placed(item, unranked=reasons[item.id]) for item in order if reasons[item.id]]
    if metric is None or not ranked:
        return rest
    for item in ranked[1:]:
        if scores[item.id].cases != scores[ranked[0].id].cases:
            raise UserError(
                f"states the samples of {ranked[0].id}, and other cases",
                file=item.place / item.part.scores.path,
                fix="m3dbench leaderboard check DIR --data DATA tells which of the two is wrong",
            )
    apart = _told_apart([scores[item.id].sums for item in ranked], metric, alpha)
    placed: list[Placed] = []
    leader = 0
    for position, item in enumerate(ranked):
        if apart[leader, position]:
            leader = position
        rank = leader + 1
        better, worse = int(apart[:position, position].sum()), int(apart[position, position + 1 :].sum())
        placed.append(Placed(item, rank, min(rank, 1 + better), max(rank, len(ranked) - worse)))
    return placed + rest


def _eligible(item: Candidate) -> bool:
    return item.record.role != "oracle" and item.value() is not None


def _unranked(item: Candidate, metric: Metric | None, lacking: int) -> str:
    primary = item.part.summary.primary
    found = item.part.summary.metric(primary)
    if item.record.role == "oracle":
        return ORACLE
    if metric is None:
        return f"{primary} is not known to this version of m3dbench"
    if found is None or found.micro.value is None or not math.isfinite(found.micro.value):
        why = next(iter(found.unscored_reasons), "") if found is not None else ""
        return f"{primary}, the primary metric, has no value" + (f": {why}" if why else "")
    if lacking:
        why = next(iter(found.unscored_reasons), "")
        told = f"{lacking:,} samples are not scored by {primary} that other entries have scored"
        return told + (f": {why}" if why else "")
    return ""


@dataclass(frozen=True)
class Scores:
    """The primary metric of a candidate. samples: numbers of those with statistics. cases: sorted. sums: per case
    (cases, k), so that candidates with the same samples have the same rows."""

    samples: frozenset[int]
    cases: tuple[str, ...]
    sums: FloatArray


def _read(item: Candidate, numbers: dict[str, int]) -> Scores:
    """``numbers``: sample -> number, the same for all candidates; new ones are added."""
    samples: list[int] = []
    sums: dict[str, FloatArray] = {}
    path = item.place / item.part.scores.path
    for row in read_scores(path, only=("corrected", item.part.summary.primary)):
        if row["statistics"] is None:
            continue
        samples.append(numbers.setdefault(row["id"], len(numbers)))
        values = np.asarray(row["statistics"], dtype=np.float64)
        case = row["case"]
        sums[case] = sums[case] + values if case in sums else values
    cases = tuple(sorted(sums))
    stacked = np.stack([sums[case] for case in cases]) if sums else np.zeros((0, 1))
    return Scores(frozenset(samples), cases, stacked)


def _told_apart(scores: Sequence[FloatArray], metric: Metric, alpha: float) -> npt.NDArray[np.bool_]:
    """(n, n), True where the test tells two apart. scores: (cases, k) each."""
    sums = np.stack(scores)
    counts_agree = sums.shape[2] == 2 and bool((sums[:, :, 1] == sums[0, :, 1]).all())
    linear = metric.family in ("rate", "mean") and counts_agree
    p_values = all_pairs(sums, metric.aggregate, SEED, linear=linear)
    upper = np.triu_indices(len(scores), 1)
    apart = np.zeros(p_values.shape, dtype=bool)
    apart[upper] = np.asarray(holm(p_values[upper].tolist())) <= alpha
    return apart | apart.T
