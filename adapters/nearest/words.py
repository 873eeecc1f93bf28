"""Reports as directions: weighted word counts, so that two reports that say the same point the same way."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import numpy.typing as npt

VOCABULARY = 2000


class WordSpace:
    """Term frequency times inverse document frequency over the train split's commonest words."""

    def __init__(self) -> None:
        self._documents: Counter[str] = Counter()
        self._texts = 0

    def learn(self, text: str) -> None:
        """Count the words of one train report."""
        self._documents.update(set(_words(text)))
        self._texts += 1

    def settle(self) -> None:
        """Called once after the last report."""
        chosen = sorted(self._documents, key=lambda word: (-self._documents[word], word))[:VOCABULARY]
        self._places = {word: place for place, word in enumerate(chosen)}
        seen = np.array([self._documents[word] for word in chosen], dtype=np.float64)
        self._weights = np.log((1 + self._texts) / (1 + seen)) + 1

    def vector(self, text: str) -> npt.NDArray[np.float64]:
        """The direction of a text; one further constant entry keeps a text of unknown words from having none."""
        counts = np.zeros(len(self._places) + 1)
        counts[-1] = 1e-3
        for word, count in Counter(_words(text)).items():
            if word in self._places:
                counts[self._places[word]] = count * self._weights[self._places[word]]
        return counts


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())
