"""What the modules share: an ``evaluate`` metric around one of this project's metrics under corrected scoring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import evaluate
import numpy as np

from m3dbench.errors import UserError
from m3dbench.metrics.core import Metric
from m3dbench.metrics.pairs import TextPair

INPUTS = """
predictions: list of texts. references: list of texts, one each. Further arguments are the options of the metric.
Returns the value over all pairs under the metric's name, the value of each pair under ``values`` (None where the metric
is not defined: the reference is empty), how many pairs were ``scored``, and the ``signature``: version and options.
"""


class TextModule(evaluate.Metric):  # type: ignore[misc]
    """One text metric. ``factory``: makes it from its options."""

    factory: ClassVar[Callable[..., Metric]]

    def _info(self) -> Any:
        from datasets import Features, Value

        factory = type(self).factory
        return evaluate.MetricInfo(
            description=str(factory.__doc__),
            citation="",
            inputs_description=INPUTS,
            features=Features({"predictions": Value("string"), "references": Value("string")}),
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[str], **options: Any) -> dict[str, Any]:
        """Raises UserError with the reason where a pair could not be scored (an encoder that is not there)."""
        metric = type(self).factory(**options)
        outcomes = list(metric.outcomes([TextPair(*pair) for pair in zip(predictions, references, strict=True)]))
        for outcome in outcomes:
            if outcome.status == "unscored":
                raise UserError(outcome.reason)
        statistics = [outcome.statistics for outcome in outcomes if outcome.statistics is not None]
        total = float(metric.aggregate(np.sum(statistics, axis=0))) if statistics else float("nan")
        return {
            metric.name: total,
            "values": [None if out.statistics is None else metric.value(out.statistics) for out in outcomes],
            "scored": len(statistics),
            "signature": metric.signature,
        }
