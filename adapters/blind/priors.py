"""What the train split says before any image is seen, per kind of answer."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from m3dbench.adapter import Known, Query
from m3dbench.data.prediction import Prediction
from m3dbench.data.sample import Request, Sample
from m3dbench.metrics.boxes import box_iou
from m3dbench.metrics.pairs import Box

TYPICAL_POOL = 200


class Prior(ABC):
    """Learns from train samples one by one, settles, then answers queries without their volumes."""

    learns: ClassVar[bool] = True

    @abstractmethod
    def learn(self, sample: Sample, known: Known) -> None: ...

    def settle(self) -> None:  # noqa: B027 - most priors are ready at any time
        """Called once after the last train sample."""

    @abstractmethod
    def answer(self, query: Query) -> Prediction: ...


def question_key(question: str) -> str:
    """Questions that differ only in numbers, case or punctuation ask the same."""
    return " ".join(re.findall(r"[a-z]+", question.lower()))


class ChoicePrior(Prior):
    """The offered option most often right, for this question if it was seen, over all questions otherwise."""

    def __init__(self) -> None:
        self._answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._letters: Counter[str] = Counter()

    def learn(self, sample: Sample, known: Known) -> None:
        text = known.reference.text.lower()
        for key in ("", question_key(sample.request.question)):
            self._answers[key][text] += 1
        self._letters[known.reference.choice] += 1

    def answer(self, query: Query) -> Prediction:
        seen = self._answers.get(question_key(query.request.question), Counter())
        overall = self._answers[""]
        choices = query.request.choices
        best = max(
            sorted(choices),
            key=lambda letter: (seen[choices[letter].lower()], overall[choices[letter].lower()], self._letters[letter]),
        )
        return Prediction(query.id, text=f"{best}. {choices[best]}")


class TextPrior(Prior):
    """The most frequent answer to the question; for reports, and questions never seen, the most typical train text."""

    def __init__(self) -> None:
        self._answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._pool: list[str] = []
        self._typical = ""

    def learn(self, sample: Sample, known: Known) -> None:
        text = known.reference.text
        self._answers[question_key(sample.request.question)][text] += 1
        if len(self._pool) < TYPICAL_POOL and text not in self._pool:
            self._pool.append(text)

    def settle(self) -> None:
        self._typical = _most_typical(self._pool)

    def answer(self, query: Query) -> Prediction:
        seen = self._answers.get(question_key(query.request.question)) if query.request.question else None
        text = max(sorted(seen), key=lambda answer: seen[answer]) if seen else self._typical
        return Prediction(query.id, text=text)


class Classes:
    """Which class a request means, as far as the train split tells: by its name, or by a description seen there.

    All objects that a data set does not name are one class, with the empty name.
    """

    def __init__(self) -> None:
        self._described: dict[str, str] = {}

    def learn(self, sample: Sample) -> str:
        """The class of a train sample."""
        name = sample.reference.names[0] if sample.reference.names else ""
        if sample.request.description:
            self._described[sample.request.description] = name
        return name

    def of(self, request: Request) -> str | None:
        """None for a description that was never seen."""
        return self._described.get(request.description) if request.description else request.target


class RegionPrior(Prior):
    """Mean boxes of the classes: the class's box for a name or a description, the nearest class's name for a box."""

    def __init__(self) -> None:
        self._classes = Classes()
        self._boxes: defaultdict[str, list[Box]] = defaultdict(list)
        self._present: defaultdict[str, list[bool]] = defaultdict(list)
        self._texts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._means: dict[str, Box] = {}

    def learn(self, sample: Sample, known: Known) -> None:
        name = self._classes.learn(sample)
        box = sample.request.box or known.reference.box
        self._present[name].append(box is not None)
        if box is not None:
            self._boxes[name].append(box)
            self._texts[name][known.reference.text] += 1

    def settle(self) -> None:
        for name, boxes in self._boxes.items():
            low0, low1, low2, high0, high1, high2 = np.mean(boxes, axis=0).tolist()
            self._means[name] = (low0, low1, low2, high0, high1, high2)

    def answer(self, query: Query) -> Prediction:
        request = query.request
        if request.kind != "locate":
            return self._name(query)
        name = self._classes.of(request)
        if name is None or name not in self._means or np.mean(self._present[name]) < 0.5:
            return Prediction(query.id, absent=True)
        return Prediction(query.id, box=self._means[name])

    def _name(self, query: Query) -> Prediction:
        box = query.request.box
        if box is None:
            return Prediction(query.id, text=f"This is the {query.request.target}.")
        if not self._means:
            return Prediction(query.id, text="")
        nearest = max(
            sorted(self._means), key=lambda name: (box_iou(self._means[name], box), -_distance(self._means[name], box))
        )
        texts = self._texts[nearest]
        return Prediction(query.id, text=max(sorted(texts), key=lambda text: texts[text]))


class MaskPrior(Prior):
    """Mean masks of the classes: as many of the voxels most often inside as the class has on average."""

    def __init__(self, per_class: int) -> None:
        self._classes = Classes()
        self._per_class = per_class
        self._sums: dict[str, npt.NDArray[np.float32]] = {}
        self._seen: Counter[str] = Counter()
        self._present: Counter[str] = Counter()

    def learn(self, sample: Sample, known: Known) -> None:
        name = self._classes.learn(sample)
        if self._seen[name] >= self._per_class:
            return
        mask = known.mask()
        self._seen[name] += 1
        if not mask.any():
            return
        if name not in self._sums:
            self._sums[name] = np.zeros(mask.shape, dtype=np.float32)
        if self._sums[name].shape == mask.shape:
            self._sums[name] += mask
            self._present[name] += 1

    def answer(self, query: Query) -> Prediction:
        name = self._classes.of(query.request)
        if name is None or name not in self._sums or self._present[name] < self._seen[name] / 2:
            return Prediction(query.id, absent=True)
        frequency = self._sums[name]
        size = round(float(frequency.sum()) / self._present[name])
        cut = np.partition(frequency.ravel(), -size)[-size]
        return Prediction(query.id, mask=fitted(frequency >= max(cut, 1), query.grid()))


class EmbeddingPrior(Prior):
    """One embedding for every image and every text: all items tie, so that the expected values are those of chance."""

    learns = False

    def learn(self, sample: Sample, known: Known) -> None:
        raise NotImplementedError

    def answer(self, query: Query) -> Prediction:
        same = np.ones(1)
        return Prediction(query.id, image_embedding=same, text_embedding=same)


def fitted(mask: npt.NDArray[np.bool_], grid: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    """The mask on another grid, nearest voxel."""
    if mask.shape == grid:
        return mask
    index = [((np.arange(size) + 0.5) * old / size).astype(int) for size, old in zip(grid, mask.shape, strict=True)]
    return mask[np.ix_(*index)]


def _distance(one: Box, other: Box) -> float:
    return float(np.abs(np.asarray(one) - np.asarray(other)).sum())


def _most_typical(texts: list[str]) -> str:
    """The text that shares most words with all others: the medoid under unigram F1."""
    if not texts:
        return ""
    vocabulary = {
        word: index for index, word in enumerate(sorted({word for text in texts for word in text.lower().split()}))
    }
    counts = np.zeros((len(texts), max(len(vocabulary), 1)), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().split():
            counts[row, vocabulary[word]] += 1
    lengths = counts.sum(axis=1)
    scores = [
        float(np.mean(2 * np.minimum(counts, row).sum(axis=1) / np.maximum(lengths + row.sum(), 1))) for row in counts
    ]
    return texts[int(np.argmax(scores))]
