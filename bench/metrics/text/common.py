"""What the text metrics share: how a pair of strings becomes an outcome under either scoring."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from m3dbench.metrics.core import Outcome
from m3dbench.metrics.pairs import TextPair

EMPTY_REFERENCE = "the reference is empty"


def versions(*packages: str) -> str:
    """``name:version`` of distributions for a signature, without importing them; ``name:absent`` if not installed."""
    return "|".join(f"{package}:{_version(package)}" for package in packages)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def corrected(score: Callable[[str, str], float]) -> Callable[[TextPair], Outcome]:
    """Judge of the stripped texts: an empty prediction is 0, an empty reference has no score."""

    def judge(pair: TextPair) -> Outcome:
        prediction, reference = pair.prediction.strip(), pair.reference.strip()
        if not reference:
            return Outcome.not_applicable(EMPTY_REFERENCE)
        return Outcome.scored(score(prediction, reference) if prediction else 0.0, 1.0)

    return judge


def upstream(score: Callable[[str, str], float]) -> Callable[[TextPair], Outcome]:
    """Judge as the reference's scripts do: the stripped texts, whatever they are."""

    def judge(pair: TextPair) -> Outcome:
        return Outcome.scored(score(pair.prediction.strip(), pair.reference.strip()), 1.0)

    return judge
