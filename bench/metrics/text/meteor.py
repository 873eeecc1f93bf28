"""METEOR as nltk defines it (exact, Porter stem, WordNet synonym), on shipped WordNet 3.0 and Punkt tables.

Range 0 to 1. Not comparable across answer lengths: the fragmentation penalty gives an exact one-word answer 0.5, two
words 0.9375 (quirk Q-TXT-3, inherent in the definition and so kept under both scorings).
Lavie and Agarwal 2007, https://aclanthology.org/W07-0734
"""

from __future__ import annotations

from functools import lru_cache

from m3dbench.metrics import assets
from m3dbench.metrics.core import Metric, each, worst_mean
from m3dbench.metrics.pairs import TextPair
from m3dbench.metrics.text.common import corrected, upstream, versions
from m3dbench.metrics.text.wordnet import wordnet
from m3dbench.metrics.text.words import word_tokenize


class _Stemmer:
    """Porter's stemmer, each word once: reports repeat theirs."""

    def __init__(self) -> None:
        from nltk.stem.porter import PorterStemmer

        self.stem = lru_cache(maxsize=1 << 16)(PorterStemmer().stem)


@lru_cache(maxsize=1)
def _stemmer() -> _Stemmer:
    return _Stemmer()


@lru_cache(maxsize=1024)
def _score(prediction: str, reference: str, alpha: float, beta: float, gamma: float) -> float:
    from nltk.translate.meteor_score import single_meteor_score

    value = single_meteor_score(
        word_tokenize(reference),
        word_tokenize(prediction),
        stemmer=_stemmer(),
        wordnet=wordnet(),
        alpha=alpha,
        beta=beta,
        gamma=gamma,
    )
    return float(value)


def _signature(alpha: float, beta: float, gamma: float) -> str:
    data = f"wordnet:{assets.WORDNET_VERSION}|punkt:{assets.PUNKT_VERSION}"
    return f"{versions('nltk')}|{data}|case:lc|a:{alpha}|b:{beta}|g:{gamma}"


def meteor(*, alpha: float = 0.9, beta: float = 3.0, gamma: float = 0.5) -> Metric:
    """Sentence METEOR, 0 to 1; ``alpha`` weighs precision, ``beta`` and ``gamma`` shape the fragmentation penalty.

    An empty prediction is 0; an empty reference is ``not_applicable``.
    """

    def score(prediction: str, reference: str) -> float:
        return _score(prediction, reference, alpha, beta, gamma)

    return Metric("meteor", TextPair, each(corrected(score)), worst_mean(0.0), _signature(alpha, beta, gamma))


def upstream_meteor() -> Metric:
    """METEOR as the reference calls it (Hugging Face ``meteor``, default weights): an empty text is 0."""
    weights = 0.9, 3.0, 0.5

    def score(prediction: str, reference: str) -> float:
        return _score(prediction, reference, *weights)

    return Metric("meteor", TextPair, each(upstream(score)), worst_mean(0.0), f"upstream|{_signature(*weights)}")
