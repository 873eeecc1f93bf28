"""``oracle``: returns the reference, and so shows each metric's ceiling."""

from __future__ import annotations

from collections.abc import Sequence

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.data.prediction import Prediction


class Oracle(Adapter):
    """The reference itself, in the form that the task asks for."""

    name = "oracle"
    version = "1.0"
    tasks = frozenset({"vqa_closed", "vqa_open", "report_generation", "reg", "rec", "seg_semantic", "seg_referring"})
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
        mask = known.mask()
        return Prediction(query.id, mask=mask) if mask.any() else Prediction(query.id, absent=True)
