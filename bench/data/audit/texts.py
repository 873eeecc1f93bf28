"""Reports that stand in two parts: the same, the same after normalisation, or nearly the same."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from m3dbench.data.audit.cases import Case
from m3dbench.errors import missing_extra
from m3dbench.metrics.names import words

FEWEST_WORDS = 8
"""A shorter text ("No abnormality.") may stand under many patients and shows nothing."""
NEAR = 0.85
"""Jaccard similarity of word triples from which two texts are nearly the same."""
NEAR_OF_ONE_NUMBER = 0.5
"""The same where the two cases bear one number in ct_case and ct_quizze."""
_PERMUTATIONS = 128
_CANDIDATE = 0.7
_TELLING = re.compile(r"\d+(?:[.,]\d+)?|\b(?:left|right|no|not|without)\b")


@dataclass(frozen=True)
class TextMatch:
    """Two cases of different parts with one text. similarity: Jaccard of word triples, 1 where equal."""

    kind: str
    case: Case
    other: Case
    similarity: float


class _Text:
    """A text made ready for comparison."""

    def __init__(self, text: str) -> None:
        self.raw = text
        self.words = words(text)
        self.key = " ".join(self.words)
        self.telling = Counter(_TELLING.findall(text.lower()))

    @property
    def triples(self) -> frozenset[str]:
        return frozenset(" ".join(self.words[start : start + 3]) for start in range(len(self.words) - 2))

    def near(self, other: _Text) -> float:
        """Jaccard similarity; 0 where the texts differ in a number, a side or a negation that the other lacks.

        Reports written from one template are alike in everything but these, and speak of different patients.
        """
        if self.telling - other.telling and other.telling - self.telling:
            return 0.0
        one, two = self.triples, other.triples
        return len(one & two) / len(one | two)


def matches(cases: Sequence[Case], others: Sequence[Case]) -> Iterator[TextMatch]:
    """Pairs of a case and another part's case that share a text, each once, by their closest texts."""
    prepared = _prepared(others)
    by_key: defaultdict[str, list[tuple[Case, _Text]]] = defaultdict(list)
    by_number: defaultdict[str, list[tuple[Case, _Text]]] = defaultdict(list)
    for other, text in prepared:
        by_key[text.key].append((other, text))
        by_number[_number(other)].append((other, text))
    index = _Index(prepared)
    for case, text in _prepared(cases):
        for other, twin in by_key.get(text.key, ()):
            yield TextMatch("text" if twin.raw.strip() == text.raw.strip() else "normalised text", case, other, 1.0)
        told = {id(other) for other, _ in by_key.get(text.key, ())}
        for other, twin in by_number.get(_number(case), ()):
            if _number(case) and other.id != case.id and id(other) not in told:
                similarity = text.near(twin)
                if similarity >= NEAR_OF_ONE_NUMBER:
                    told.add(id(other))
                    yield TextMatch("near text", case, other, similarity)
        for place in index.near(text):
            other, twin = prepared[place]
            if id(other) not in told and (similarity := text.near(twin)) >= NEAR:
                yield TextMatch("near text", case, other, similarity)


def same_number(cases: Sequence[Case], others: Sequence[Case]) -> int:
    """Pairs of cases of one number, one in ct_case and one in ct_quizze."""
    numbers = Counter(_number(other) for other in others if _number(other))
    same = {other.id for other in others}
    return sum(numbers[_number(case)] - (case.id in same) for case in cases if _number(case))


def _number(case: Case) -> str:
    """``ct_quizze/005461`` -> ``005461``; empty for other ids."""
    folder, _, number = case.id.partition("/")
    return number if folder in ("ct_case", "ct_quizze") else ""


def _prepared(cases: Sequence[Case]) -> list[tuple[Case, _Text]]:
    return [(case, text) for case in cases for raw in case.texts if len((text := _Text(raw)).words) >= FEWEST_WORDS]


class _Index:
    """Texts by MinHash, for those that are nearly like a given one."""

    def __init__(self, texts: Sequence[tuple[Case, _Text]]) -> None:
        try:
            from datasketch import MinHashLSH
        except ImportError as error:
            raise missing_extra("comparing texts", "data") from error
        self._index = MinHashLSH(threshold=_CANDIDATE, num_perm=_PERMUTATIONS)
        with self._index.insertion_session() as session:
            for place, (_, text) in enumerate(texts):
                session.insert(place, _signature(text))

    def near(self, text: _Text) -> list[int]:
        """Places of candidates, sorted."""
        return sorted(self._index.query(_signature(text)))


def _signature(text: _Text) -> object:
    from datasketch import MinHash

    signature = MinHash(num_perm=_PERMUTATIONS, seed=1)
    signature.update_batch([triple.encode() for triple in sorted(text.triples)])
    return signature
