"""The blind baseline: priors of the train split, chosen by what the request says."""

from __future__ import annotations

from collections.abc import Sequence

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.adapters.benchmark import EIGHT_TASKS
from m3dbench.adapters.blind.priors import ChoicePrior, EmbeddingPrior, MaskPrior, Prior, RegionPrior, TextPrior
from m3dbench.data.prediction import Prediction


class Blind(Adapter):
    """Never opens a volume.

    Closed VQA: the offered option that the train split answers most often to such a question; open VQA: the most
    frequent answer to such a question; reports: the most typical one; REC: the class's mean box; REG: the class whose
    mean box is nearest; segmentation: the class's mean mask; retrieval: one embedding for all. A class is
    known by its name or by a description seen in the train split; what a data set does not name is one class.
    ``masks_per_class`` bounds the train masks read.
    """

    name = "blind"
    version = "1.1"
    tasks = EIGHT_TASKS
    looks = False
    role = "blind"
    batch_size = 16

    def __init__(self, *, masks_per_class: int = 50) -> None:
        self._masks_per_class = masks_per_class

    def prepare(self, context: Context) -> None:
        priors: dict[str, Prior] = {
            "choice": ChoicePrior(),
            "text": RegionPrior() if context.task == "reg" else TextPrior(),
            "box": RegionPrior(),
            "mask": MaskPrior(self._masks_per_class),
            "embedding": EmbeddingPrior(),
        }
        self._prior = priors[context.answer]
        if self._prior.learns:
            for sample, known in context.train():
                self._prior.learn(sample, known)
        self._prior.settle()

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        return [self._prior.answer(query) for query in queries]

    def facts(self) -> dict[str, int]:
        return {"masks_per_class": self._masks_per_class}
