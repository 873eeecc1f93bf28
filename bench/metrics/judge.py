"""The arithmetic of a language model's verdicts. The judge lists and labels; every number is computed here.

Values are percentages, 0 to 100, as the paper's LLM-based metric is; counts of errors are plain counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from m3dbench.metrics.core import Metric, Outcome, worst_mean
from m3dbench.metrics.pairs import JudgedPair

Kind = Literal["aspects_recall", "aspects_f1", "findings", "match", "score"]
KINDS: tuple[Kind, ...] = ("aspects_recall", "aspects_f1", "findings", "match", "score")
Verdict = Mapping[str, Any]
"""A verdict as ``m3dbench.judge.parse`` leaves it, its fields by kind: see ``FORMS`` there."""
ERRORS = ("false_finding", "missing_finding", "wrong_location", "wrong_severity")
COMPONENTS: Mapping[Kind, tuple[str, ...]] = {
    "aspects_recall": (),
    "aspects_f1": ("recall", "precision"),
    "findings": ERRORS,
    "match": (),
    "score": (),
}
"""What is reported beside the headline value, by kind."""
COUNTS = frozenset(ERRORS)
EMPTY_REFERENCE = "the reference is empty"
NOTHING_SAID = "the answer is empty"


@dataclass(frozen=True, slots=True)
class Scale:
    """partial: what a partial match counts, 0 to 1. minimum, maximum: the range a judge scores in (kind ``score``)."""

    partial: float = 0.5
    minimum: float = 0.0
    maximum: float = 100.0


def component_values(kind: Kind, verdict: Verdict, scale: Scale) -> dict[str, float | None]:
    """Headline value under the name "", and the components of the kind; None where one is undefined.

    Raises ValueError where the verdict gives no headline value (it lists nothing).
    """
    if kind == "aspects_recall":
        return {"": 100 * _share(verdict["reference_aspects"], "match", scale)}
    if kind == "aspects_f1":
        recall = _share(verdict["reference_aspects"], "match", scale)
        stated = verdict["candidate_aspects"]
        precision = _share(stated, "match", scale) if stated else None
        both = recall + (precision or 0.0)
        f1 = 2 * recall * precision / both if precision and both else 0.0
        return {"": 100 * f1, "recall": 100 * recall, "precision": None if precision is None else 100 * precision}
    if kind == "findings":
        matched = len(verdict["matched"])
        errors = verdict["errors"]
        costly = sum(error["significant"] for error in errors)
        if not matched + len(errors):
            raise ValueError("lists neither matched findings nor errors")
        # Only insignificant differences and nothing matched: nothing right was said.
        value = matched / (matched + costly) if matched else 0.0
        counts = {name: float(sum(error["category"] == name for error in errors)) for name in ERRORS}
        return {"": 100 * value, **counts}
    if kind == "match":
        return {"": 100 * _weight(verdict["verdict"], scale)}
    return {"": 100 * (verdict["score"] - scale.minimum) / (scale.maximum - scale.minimum)}


def _share(aspects: Sequence[Mapping[str, Any]], field: str, scale: Scale) -> float:
    if not aspects:
        raise ValueError("lists no aspects")
    return sum(_weight(aspect[field], scale) for aspect in aspects) / len(aspects)


def _weight(label: str, scale: Scale) -> float:
    return {"full": 1.0, "correct": 1.0, "partial": scale.partial, "none": 0.0, "wrong": 0.0}[label]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of one pair: a verdict; or, without one, why there is none (``reason``).

    note: said beside a score, such as a truncation. quirk: of the reference, see ``Outcome.quirk``.
    """

    verdict: Verdict | None = None
    reason: str = ""
    note: str = ""
    quirk: str = ""


def judge_metrics(
    name: str, kind: Kind, scale: Scale, lookup: Callable[[JudgedPair], Judged], signature: str
) -> list[Metric]:
    """The headline metric ``name`` and a metric ``name.COMPONENT`` each, over verdicts that ``lookup`` finds.

    An empty answer is the worst value without a verdict; an empty reference is ``not_applicable``; a pair without a
    verdict is ``unscored`` with the reason. Errors are counted over judged answers alone.
    """
    return [_metric(name, kind, scale, lookup, signature, component) for component in ("", *COMPONENTS[kind])]


def _metric(
    name: str, kind: Kind, scale: Scale, lookup: Callable[[JudgedPair], Judged], signature: str, component: str
) -> Metric:
    count = component in COUNTS

    def outcome(pair: JudgedPair) -> Outcome:
        if not pair.reference.strip():
            return Outcome.not_applicable(EMPTY_REFERENCE)
        if not pair.prediction.strip():
            return Outcome.not_applicable(NOTHING_SAID) if count else Outcome("scored", (0.0, 1.0), NOTHING_SAID)
        found = lookup(pair)
        if found.verdict is None:
            return Outcome.unscored(found.reason, found.quirk)
        try:
            value = component_values(kind, found.verdict, scale)[component]
        except ValueError as error:
            return Outcome.unscored(f"unusable: {error}", found.quirk)
        if value is None:
            return Outcome.not_applicable("the judge found no statement in the answer")
        return Outcome("scored", (value, 1.0), found.note, found.quirk)

    def outcomes(pairs: Sequence[JudgedPair]) -> Iterable[Outcome]:
        return map(outcome, pairs)

    full = f"{name}.{component}" if component else name
    told = f"{signature}|component:{component or 'value'}"
    if count:
        return Metric(full, JudgedPair, outcomes, lambda _: None, told, "lower", worst=None, best=0.0, unit="errors")
    return Metric(full, JudgedPair, outcomes, worst_mean(0.0), told, best=100.0, unit="points of 100")
