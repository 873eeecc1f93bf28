"""The threshold baseline: classical segmentation by intensity, and boxes around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from m3dbench.adapter import Adapter, Query
from m3dbench.data.prediction import Prediction
from m3dbench.metrics.boxes import mask_to_box

if TYPE_CHECKING:
    from m3dbench.adapters.threshold.algorithm import Anatomy, FloatArray


class Threshold(Adapter):
    """Looks at the image and knows no more than where organs lie and how bright they are; says what it cannot find.

    Of a description or a question it reads the first organ name in it; without one the answer is "not found".
    """

    name = "threshold"
    version = "1.1"
    tasks = frozenset({"rec", "seg_semantic", "seg_referring"})

    def __init__(self) -> None:
        self._studied: tuple[FloatArray, Anatomy | None] | None = None

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        return [self._find(query) for query in queries]

    def _find(self, query: Query) -> Prediction:
        from m3dbench.adapters.threshold.algorithm import named_in, segment_in

        request = query.request
        target = request.target or named_in(request.description or request.question)
        anatomy = self._anatomy(query.volume()) if target else None
        mask = None if anatomy is None else segment_in(anatomy, target)
        if mask is None:
            return Prediction(query.id, absent=True)
        if query.request.kind == "locate":
            return Prediction(query.id, box=mask_to_box(mask))
        return Prediction(query.id, mask=mask)

    def _anatomy(self, volume: FloatArray) -> Anatomy | None:
        """Questions on one volume come in a row and share its array, so the last study is kept."""
        from m3dbench.adapters.threshold.algorithm import study

        if self._studied is None or self._studied[0] is not volume:
            self._studied = (volume, study(volume[0]))
        return self._studied[1]
