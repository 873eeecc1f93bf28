"""BLEU. Range 0 to 1 (sacrebleu's own scale is 0 to 100).

Papineni et al. 2002, https://aclanthology.org/P02-1040; sacrebleu: Post 2018, https://aclanthology.org/W18-6319
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np

from m3dbench.metrics.core import SAME, FloatArray, Metric, Outcome, Statistics, each, worst_mean
from m3dbench.metrics.pairs import TextPair
from m3dbench.metrics.text.common import EMPTY_QUIRK, EMPTY_REFERENCE, corrected, versions

CORPUS_ORDER = 4


@lru_cache(maxsize=16)
def _scorer(order: int, lowercase: bool) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    # Effective order: without it every answer of fewer than `order` words is 0, an exact one too.
    return BLEU(lowercase=lowercase, tokenize="13a", smooth_method="exp", max_ngram_order=order, effective_order=True)


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    tokenizer: Any = Tokenizer13a
    return tokenizer()


def _signature(kind: str, order: int, lowercase: bool, effective: bool) -> str:
    options = (
        f"case:{'lc' if lowercase else 'mixed'}|eff:{'yes' if effective else 'no'}|tok:13a|smooth:exp|order:{order}"
    )
    return f"{versions('sacrebleu')}|{kind}|nrefs:1|{options}"


def _sentence_bleu(order: int, lowercase: bool) -> Metric:
    def score(prediction: str, reference: str) -> float:
        value = _scorer(order, lowercase).sentence_score(prediction, [reference]).score / 100
        return min(float(value), 1.0)

    signature = _signature("sentence-mean", order, lowercase, effective=True)
    return Metric(f"bleu{order}", TextPair, each(corrected(score)), worst_mean(0.0), signature)


def bleu1(*, lowercase: bool = True) -> Metric:
    """Sentence BLEU-1, averaged: sacrebleu, 13a tokens, exponential smoothing, effective order.

    ``lowercase`` compares without case. An empty prediction is 0; an empty reference is ``not_applicable``.
    """
    return _sentence_bleu(1, lowercase)


def bleu2(*, lowercase: bool = True) -> Metric:
    """Sentence BLEU-2, averaged; see ``bleu1``."""
    return _sentence_bleu(2, lowercase)


def bleu3(*, lowercase: bool = True) -> Metric:
    """Sentence BLEU-3, averaged; see ``bleu1``."""
    return _sentence_bleu(3, lowercase)


def bleu4(*, lowercase: bool = True) -> Metric:
    """Sentence BLEU-4, averaged; see ``bleu1``."""
    return _sentence_bleu(4, lowercase)


def _aggregate(sums: FloatArray) -> FloatArray:
    """Corpus BLEU of summed statistics (..., 11): prediction length, reference length, 4 matches, 4 totals, 4-grams of
    the reference. NaN where the references hold no 4-gram.
    """
    sums = np.asarray(sums, dtype=np.float64)
    predicted, referenced = sums[..., 0], sums[..., 1]
    matches, totals = sums[..., 2 : 2 + CORPUS_ORDER], sums[..., 2 + CORPUS_ORDER : 2 + 2 * CORPUS_ORDER]
    zero = matches == 0
    # Exponential smoothing: the k-th order without a match counts as 1 / 2**k matches.
    smoothed = np.where(zero, 0.5 ** np.cumsum(zero, axis=-1), matches)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        precision = np.exp(np.mean(np.log(smoothed / totals), axis=-1))
        brevity = np.where(predicted < referenced, np.exp(1 - referenced / predicted), 1.0)
        score = brevity * precision
    defined = (matches.sum(axis=-1) > 0) & (totals > 0).all(axis=-1)
    # References too short for any n-gram of the highest order have no corpus BLEU, however right the answers are.
    return np.where(sums[..., -1] > 0, np.where(defined, score, 0.0), np.nan)


def _highest(length: int) -> float:
    """How many n-grams of the highest order a text of this many tokens has."""
    return float(max(length - CORPUS_ORDER + 1, 0))


def corpus_bleu(*, lowercase: bool = True) -> Metric:
    """BLEU-4 of the whole corpus from summed n-gram counts: sacrebleu, 13a tokens, exponential smoothing.

    Statistics of a sample: prediction length, reference length, matches of order 1 to 4, n-grams of order 1 to 4,
    4-grams of the reference. Undefined where no reference has four tokens.
    A failed sample counts as an empty prediction. An empty reference is ``not_applicable``.
    """

    def outcome(pair: TextPair) -> Outcome:
        prediction, reference = pair.prediction.strip(), pair.reference.strip()
        if not reference:
            return Outcome.not_applicable(EMPTY_REFERENCE)
        score = _scorer(CORPUS_ORDER, lowercase).sentence_score(prediction, [reference])
        return Outcome.scored(score.sys_len, score.ref_len, *score.counts, *score.totals, _highest(score.ref_len))

    def worst(pair: TextPair) -> Statistics:
        length = len(_tokenizer()(pair.reference.strip()).split())
        return (0.0, float(length), *(0.0 for _ in range(2 * CORPUS_ORDER)), _highest(length))

    return Metric(
        "corpus_bleu",
        TextPair,
        each(outcome),
        worst,
        _signature("corpus", CORPUS_ORDER, lowercase, effective=False),
        family="corpus",
        aggregate=_aggregate,
    )


def _nmt_bleu1(prediction: str, reference: str) -> float:
    """Unsmoothed, case-sensitive BLEU-1 of a pair. ZeroDivisionError where a side has no token, as in the reference."""
    predicted, referenced = _tokenizer()(prediction).split(), _tokenizer()(reference).split()
    matched = (Counter(predicted) & Counter(referenced)).total()
    length_ratio = len(predicted) / len(referenced)
    brevity = 1.0 if length_ratio > 1 else math.exp(1 - 1 / length_ratio)
    return brevity * matched / len(predicted)


def upstream_bleu1() -> Metric:
    """BLEU-1 as the reference calls it (Hugging Face ``bleu``, max_order=1, one pair a call).

    Where that crashes, on a text without a token, the pair is ``unscored`` (Q-TXT-5). Case alone sets the rest apart
    from ``bleu1`` (Q-TXT-1).
    """

    def outcome(pair: TextPair) -> Outcome:
        prediction, reference = pair.prediction.strip(), pair.reference.strip()
        try:
            value = _nmt_bleu1(prediction, reference)
            differs = abs(value - _nmt_bleu1(prediction.lower(), reference.lower())) > SAME
        except ZeroDivisionError:
            return Outcome.unscored("the reference's BLEU divides by zero where a text has no token", EMPTY_QUIRK)
        return Outcome("scored", (value, 1.0), quirk="Q-TXT-1" if differs else "")

    signature = f"upstream|{versions('sacrebleu')}|nmt|nrefs:1|case:mixed|tok:13a|smooth:none|order:1|per-pair"
    return Metric("bleu1", TextPair, each(outcome), worst_mean(0.0), signature)
