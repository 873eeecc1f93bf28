"""The nearest-volume baseline: whatever was right for the train volume that looks most alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from m3dbench.adapter import Adapter, Context, Known, Query
from m3dbench.adapters.benchmark import EIGHT_TASKS
from m3dbench.adapters.blind.priors import ChoicePrior, Prior, TextPrior, fitted, question_key
from m3dbench.adapters.nearest.library import Entry, Library
from m3dbench.adapters.nearest.words import WordSpace
from m3dbench.data.prediction import Prediction
from m3dbench.data.sample import Request, Sample
from m3dbench.metrics.boxes import box_iou

REGIONS = "regions"
REFERRING = ("locate", "segment")


class Nearest(Adapter):
    """Looks at the image, understands nothing of it, and remembers the train split.

    Reports: that of the nearest train volume. VQA: the answer to the same question on the nearest volume that was asked
    it, among the offered ones where there are options; the blind prior for a question never asked. REC and
    segmentation: the class's box or mask in the nearest volume annotated for it; where a question names no class, what
    was referred to in the nearest volume. REG: the class whose box in the nearest volume overlaps most. Retrieval: the
    report of the nearest volume, as words. ``train_volumes`` bounds the volumes read of each sub-dataset, in the order
    of the train split.
    """

    name = "nearest"
    version = "1.0"
    tasks = EIGHT_TASKS

    def __init__(self, *, train_volumes: int = 500) -> None:
        self._train_volumes = train_volumes
        self._last: tuple[npt.NDArray[np.float32], list[int]] | None = None

    def prepare(self, context: Context) -> None:
        self._library = Library(self._train_volumes)
        self._described: dict[str, str] = {}
        self._words = WordSpace()
        self._prior: Prior = ChoicePrior() if context.answer == "choice" else TextPrior()
        answers: dict[str, Callable[[Query], Prediction]] = {
            "choice": self._choose,
            "text": self._tell,
            "box": self._locate,
            "mask": self._segment,
            "embedding": self._embed,
        }
        self._answer = answers[context.answer]
        for sample, known in context.train():
            self._library.add(sample, known, _topics(sample, known))
            if context.answer == "embedding":
                self._words.learn(known.reference.text)
            elif sample.request.description:
                self._described[sample.request.description] = known.reference.names[0]
            if not known.reference.names and context.answer in ("choice", "text"):
                self._prior.learn(sample, known)
        self._library.settle()
        self._prior.settle()
        self._words.settle()

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        return [self._answer(query) for query in queries]

    def facts(self) -> dict[str, int]:
        return {"train_volumes": self._train_volumes}

    def _order(self, query: Query) -> list[int]:
        """Questions on one volume come in a row and share its array, so the last order is kept."""
        volume = query.volume()
        if self._last is None or self._last[0] is not volume:
            self._last = (volume, self._library.order(volume))
        return self._last[1]

    def _nearest(self, query: Query, topic: str) -> list[Entry]:
        """What the nearest volume says on a topic, of those that say anything."""
        return next(self._library.entries(self._order(query), topic), [])

    def _choose(self, query: Query) -> Prediction:
        letters = {text.lower(): letter for letter, text in query.request.choices.items()}
        for entries in self._library.entries(self._order(query), _question(query.request)):
            for entry in entries:
                if letter := letters.get(entry.known.reference.text.lower()):
                    return Prediction(query.id, text=f"{letter}. {query.request.choices[letter]}")
        return self._prior.answer(query)

    def _tell(self, query: Query) -> Prediction:
        request = query.request
        topic = REGIONS if request.box else request.target or _question(request)
        entries = self._nearest(query, topic)
        if not entries:
            return self._prior.answer(query)
        shown = request.box
        if shown is not None:
            entries = sorted(entries, key=lambda entry: -box_iou(entry.request.box, shown) if entry.request.box else 0)
        return Prediction(query.id, text=entries[0].known.reference.text)

    def _locate(self, query: Query) -> Prediction:
        entries = self._referred(query)
        box = entries[0].known.reference.box if entries else None
        return Prediction(query.id, box=box, absent=box is None)

    def _segment(self, query: Query) -> Prediction:
        entries = self._referred(query)
        mask = entries[0].known.mask() if entries else None
        if mask is None or not mask.any():
            return Prediction(query.id, absent=True)
        return Prediction(query.id, mask=fitted(mask, query.grid()))

    def _embed(self, query: Query) -> Prediction:
        """The volume stands for the report of the nearest train volume, the text for itself, in one space of words."""
        report = self._nearest(query, _question(query.request))[0].known.reference.text
        return Prediction(
            query.id,
            image_embedding=self._words.vector(report),
            text_embedding=self._words.vector(query.request.description),
        )

    def _referred(self, query: Query) -> list[Entry]:
        request = query.request
        if not request.question:
            return self._nearest(query, request.target or self._described.get(request.description, ""))
        return self._nearest(query, _question(request)) or self._nearest(query, REGIONS)


def _topics(sample: Sample, known: Known) -> list[str]:
    """What a train sample can answer: a class's place, what lies in a box too, else a question or the report."""
    request = sample.request
    if known.reference.names:
        return [known.reference.names[0], *([REGIONS] if request.box is not None else [])]
    return [_question(request), *([REGIONS] if request.kind in REFERRING else [])]


def _question(request: Request) -> str:
    return f"{request.kind}: {question_key(request.question)}"
