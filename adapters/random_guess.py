"""``random``: guesses without looking; where chance lies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.adapters.benchmark import EIGHT_TASKS
from m3dbench.data.prediction import Prediction
from m3dbench.data.seeds import generator, pick

TEXT_POOL = 2000
DIMENSIONS = 64


class RandomGuess(Adapter):
    """A random offered choice, a random training text, a random box, a random block as mask, random directions as
    embeddings.

    Every draw depends on the seed and the sample's id alone.
    """

    name = "random"
    version = "1.0"
    tasks = EIGHT_TASKS
    looks = False
    batch_size = 16

    def prepare(self, context: Context) -> None:
        self._seed = context.seed
        self._answer = context.answer
        self._texts: list[str] = []
        if context.answer == "text":
            for sample, _ in context.train():
                self._texts.append(sample.reference.text)
                if len(self._texts) == TEXT_POOL:
                    break

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        return [self._guess(query) for query in queries]

    def _guess(self, query: Query) -> Prediction:
        if self._answer == "choice":
            letter = pick(sorted(query.request.choices), self._seed, "choice", query.id)
            return Prediction(query.id, text=f"{letter}. {query.request.choices[letter]}")
        if self._answer == "text":
            return Prediction(query.id, text=pick(self._texts, self._seed, "text", query.id))
        if self._answer == "embedding":
            image, text = generator(self._seed, "embedding", query.id).standard_normal((2, DIMENSIONS))
            return Prediction(query.id, image_embedding=image, text_embedding=text)
        low, high = np.sort(generator(self._seed, "box", query.id).random((2, 3)), axis=0)
        if self._answer == "box":
            return Prediction(query.id, box=(*low.tolist(), *high.tolist()))
        grid = np.asarray(query.grid())
        start, stop = np.floor(low * grid).astype(int), np.ceil(high * grid).astype(int)
        mask = np.zeros(tuple(grid), dtype=np.bool_)
        mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
        return Prediction(query.id, mask=mask)
