"""``oracle``: returns the reference, and so shows each metric's ceiling."""

from __future__ import annotations

from collections.abc import Sequence

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.adapters.benchmark import EIGHT_TASKS
from m3dbench.data.prediction import Prediction
from m3dbench.data.seeds import generator
from m3dbench.metrics.ranking import text_key

DIMENSIONS = 128


class Oracle(Adapter):
    """The reference itself, in the form that the task asks for; as embeddings, one direction for each text."""

    name = "oracle"
    version = "1.0"
    tasks = EIGHT_TASKS
    looks = False
    reads_reference = True
    role = "oracle"

    def prepare(self, context: Context) -> None:
        assert context.known is not None  # noqa: S101 - the engine gives it to adapters that read references
        self._known = context.known
        self._answer = context.answer

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        return [self._repeat(query) for query in queries]

    def _repeat(self, query: Query) -> Prediction:
        known = self._known(query.id)
        reference = known.reference
        if self._answer == "choice":
            return Prediction(query.id, text=f"{reference.choice}. {query.request.choices[reference.choice]}")
        if self._answer == "text":
            return Prediction(query.id, text=reference.text)
        if self._answer == "box":
            return Prediction(query.id, box=reference.box, absent=reference.box is None)
        if self._answer == "embedding":
            direction = generator(0, "direction", text_key(reference.text)).standard_normal(DIMENSIONS)
            return Prediction(query.id, image_embedding=direction, text_embedding=direction)
        mask = known.mask()
        return Prediction(query.id, mask=mask) if mask.any() else Prediction(query.id, absent=True)
