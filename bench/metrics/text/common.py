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


EMPTY_QUIRK = "Q-TXT-5"
"""A text without a token: the reference crashes or gives 0 where this project says ``not_applicable``."""


def upstream(
    score: Callable[[str, str], float], tokens: Callable[[str], object] = str
) -> Callable[[TextPair], Outcome]:
    """Judge as the reference's scripts do: the stripped texts, whatever they are.

    ``tokens``: the tokens of a text as the metric sees them; a reference without any has no corrected score.
    """

    def judge(pair: TextPair) -> Outcome:
        prediction, reference = pair.prediction.strip(), pair.reference.strip()
        value = score(prediction, reference)
        # Tokens only where the value is 0: no other value comes from a reference without any.
        return Outcome("scored", (value, 1.0), quirk="" if value or tokens(reference) else EMPTY_QUIRK)

    return judge
