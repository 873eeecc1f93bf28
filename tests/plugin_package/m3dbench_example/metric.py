"""A metric: how far the answer's length is from the reference's."""

from m3dbench.metrics.core import Metric, Outcome, each, worst_mean
from m3dbench.metrics.pairs import TextPair


def length_ratio(*, unit: str = "words") -> Metric:
    """Shorter length over longer, 0 to 1, in words or characters."""

    def judge(pair: TextPair) -> Outcome:
        sizes = [len(text.split() if unit == "words" else text) for text in (pair.prediction, pair.reference)]
        return Outcome.scored(min(sizes) / max(sizes) if max(sizes) else 1.0, 1)

    return Metric(
        name="length_ratio",
        pair=TextPair,
        outcomes=each(judge),
        worst_statistics=worst_mean(0.0),
        signature=f"length_ratio|unit:{unit}|v1",
    )
