"""The pairs of a task that a judge has to see, each once however many samples share it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from m3dbench.data.prediction import StoredPrediction
from m3dbench.data.sample import Sample
from m3dbench.judge.identity import Judge
from m3dbench.judge.rubric import Rubric
from m3dbench.judge.runner import Item
from m3dbench.metrics.pairs import JudgedPair
from m3dbench.runs.pairs import text_pairs

PAIRS = text_pairs()
PredictionOf = Callable[[str], StoredPrediction | None]


def pair_of(sample: Sample, prediction: StoredPrediction) -> JudgedPair:
    """What is judged of a sample."""
    made: JudgedPair = PAIRS.make(JudgedPair, sample, prediction)
    return made


def items_of(samples: Iterable[Sample], prediction_of: PredictionOf, judge: Judge, rubric: Rubric) -> Iterator[Item]:
    """Items in the order of their samples.

    Left out are those that need no judge: failed predictions (the worst value), empty answers (likewise), empty
    references (not applicable), and samples that corrected scoring excludes, unless the rubric is also scored upstream.
    """
    seen: set[str] = set()
    for sample in samples:
        prediction = prediction_of(sample.id)
        if prediction is None or prediction.status != "ok" or (sample.excluded and not rubric.verbatim):
            continue
        pair = pair_of(sample, prediction)
        if not pair.prediction.strip() or not pair.reference.strip():
            continue
        key = judge.key(rubric, pair)
        if key not in seen:
            seen.add(key)
            yield Item(key, sample.id, pair, judge, rubric)
