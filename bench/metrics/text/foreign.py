"""Text metrics whose scorer is a package or module of others: loaded offline, judged pair by pair, never downloaded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Literal

from m3dbench.metrics.core import Metric, Outcome, worst_mean
from m3dbench.metrics.offline import offline
from m3dbench.metrics.pairs import TextPair
from m3dbench.metrics.text.common import EMPTY_REFERENCE
from m3dbench.metrics.text.encoder import Unavailable

Score = Callable[[str, str], float]
"""Prediction and reference, both with text -> value."""


def foreign_metric(
    name: str,
    load: Callable[[], Score | Unavailable],
    signature: str,
    *,
    worst: float = 0.0,
    best: float = 1.0,
) -> Metric:
    """A metric around a scorer that ``load`` gives at the first pair.

    An empty prediction is the worst value, an empty reference ``not_applicable``. Every pair is ``unscored`` where
    there is no scorer, and the pair where it raises or gives a value outside ``worst`` to ``best``.
    """
    low, high = min(worst, best), max(worst, best)

    @cache
    def scorer() -> Score | Unavailable:
        with offline():
            try:
                return load()
            except Exception as error:  # noqa: BLE001 - whatever a package raises becomes the reason
                return Unavailable(f"{name} cannot be loaded: {one_line(error)}")

    def outcome(pair: TextPair) -> Outcome:
        prediction, reference = pair.prediction.strip(), pair.reference.strip()
        if not reference:
            return Outcome.not_applicable(EMPTY_REFERENCE)
        found = scorer()
        if isinstance(found, Unavailable):
            return Outcome.unscored(found.reason)
        if not prediction:
            return Outcome.scored(worst, 1.0)
        with offline():
            try:
                value = float(found(prediction, reference))
            except Exception as error:  # noqa: BLE001
                return Outcome.unscored(f"{name} failed: {one_line(error)}")
        if math.isnan(value) or not low <= value <= high:
            return Outcome.unscored(f"{name} gave {value:g}, outside {low:g} to {high:g}")
        return Outcome.scored(value, 1.0)

    def outcomes(pairs: Sequence[TextPair]) -> Iterable[Outcome]:
        return map(outcome, pairs)

    direction: Literal["higher", "lower"] = "higher" if best > worst else "lower"
    return Metric(name, TextPair, outcomes, worst_mean(worst), signature, direction, worst, best)


def one_line(error: Exception) -> str:
    """An exception as one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"
