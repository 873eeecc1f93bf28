"""The samples of a test set as each other's pool: metrics that rank need all of them before they can judge one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from m3dbench.data.prediction import StoredPrediction
from m3dbench.data.sample import Sample
from m3dbench.errors import DataError
from m3dbench.metrics.pairs import Place, RetrievalPair
from m3dbench.metrics.ranking import places, text_key
from m3dbench.runs.embeddings import read_embedding


class Gallery:
    """Pairs of a whole test set, made when the first is asked for.

    A volume with several vectors counts with the one most similar to the text. A sample without a usable embedding is
    in nobody's ranking; where its stored embedding cannot be read, its own pair
    is the DataError. All embeddings are in memory for as long as the ranking takes.
    """

    def __init__(
        self, samples: Iterable[Sample], prediction_of: Callable[[str], StoredPrediction | None], folder: Path
    ) -> None:
        self._samples = samples
        self._prediction_of = prediction_of
        self._folder = folder
        self._pairs: dict[str, RetrievalPair | DataError] | None = None

    def pair(self, sample: Sample) -> RetrievalPair:
        """The sample's pair. Raises DataError when its stored embedding cannot be read."""
        if self._pairs is None:
            self._pairs = self._rank()
        found = self._pairs[sample.id]
        if isinstance(found, DataError):
            raise found
        return found

    def _rank(self) -> dict[str, RetrievalPair | DataError]:
        pairs: dict[str, RetrievalPair | DataError] = {}
        groups: dict[str, int] = {}
        group_of: dict[str, int] = {}
        embeddings: dict[str, npt.NDArray[np.float32]] = {}
        for sample in self._samples:
            group_of[sample.id] = groups.setdefault(text_key(sample.reference.text), len(groups))
            try:
                embedding = self._embedding(sample)
            except DataError as error:
                pairs[sample.id] = error
                continue
            if embedding is not None:
                embeddings[sample.id] = embedding
        sizes = Counter(group_of.values())
        ranked: dict[str, tuple[Place, Place]] = {}
        if embeddings:
            ids = list(embeddings)
            numbers = np.asarray([group_of[sample_id] for sample_id in ids])
            views = np.asarray([len(embedding) - 1 for embedding in embeddings.values()])
            images = np.concatenate([embedding[:-1] for embedding in embeddings.values()])
            texts = np.stack([embedding[-1] for embedding in embeddings.values()])
            embeddings.clear()  # copied
            image_to_text = places(images, texts, numbers, query_views=views)
            text_to_image = places(texts, images, numbers, gallery_views=views)
            ranked = dict(zip(ids, zip(image_to_text, text_to_image, strict=True), strict=True))
        for sample_id, group in group_of.items():
            image, text = ranked.get(sample_id, (None, None))
            pairs.setdefault(sample_id, RetrievalPair(image, text, pool=len(group_of), matches=sizes[group]))
        return pairs

    def _embedding(self, sample: Sample) -> npt.NDArray[np.float32] | None:
        prediction = self._prediction_of(sample.id)
        if prediction is None or prediction.status != "ok" or prediction.embedding is None:
            return None
        return read_embedding(self._folder, prediction.embedding)
