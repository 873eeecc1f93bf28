"""An adapter: guesses the plane from where the volume is brightest."""

from collections.abc import Sequence

from m3dbench.adapter import Adapter, Query
from m3dbench.data.prediction import Prediction

PLANES = ("axial", "coronal", "sagittal")


class BrightestAxis(Adapter):
    name = "brightest-axis"
    version = "1.0"
    tasks = frozenset({"plane_naming", "report_generation"})
    batch_size = 4

    def __init__(self, *, quantile: float = 0.9) -> None:
        self._quantile = quantile

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        return [Prediction(query.id, text=self._plane(query)) for query in queries]

    def _plane(self, query: Query) -> str:
        volume = query.volume()[0]  # (D, H, W), values 0..1
        spread = [float(volume.mean(axis=axis).std()) for axis in range(3)]
        return PLANES[spread.index(max(spread))]

    def facts(self) -> dict[str, float]:
        return {"quantile": self._quantile}
