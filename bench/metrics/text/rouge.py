"""ROUGE-1, ROUGE-2 and ROUGE-L F1 by ``rouge-score``. Range 0 to 1. Lower-cased runs of a-z and 0-9 are the tokens.

Lin 2004, https://aclanthology.org/W04-1013
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from m3dbench.metrics.core import Metric, Outcome, each, worst_mean
from m3dbench.metrics.pairs import TextPair
from m3dbench.metrics.text.common import corrected, upstream, versions

# The shortest reference, in tokens, whose own text scores 1: below it the variant is undefined.
SHORTEST = {"rouge1": 1, "rouge2": 2, "rougeL": 1}


@lru_cache(maxsize=8)
def _scorer(variant: str, stem: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([variant], use_stemmer=stem)


@lru_cache(maxsize=8)
def _tokenizer(stem: bool) -> Any:
    from rouge_score.tokenizers import DefaultTokenizer

    return DefaultTokenizer(use_stemmer=stem)


@lru_cache(maxsize=1024)
def _f1(variant: str, stem: bool, prediction: str, reference: str) -> float:
    return float(_scorer(variant, stem).score(reference, prediction)[variant].fmeasure)


def _signature(variant: str, stem: bool) -> str:
    return f"{versions('rouge-score')}|{variant}|f1|stem:{'porter' if stem else 'no'}|case:lc"


def _rouge(variant: str, stem: bool) -> Metric:
    judge = corrected(lambda prediction, reference: _f1(variant, stem, prediction, reference))

    def outcome(pair: TextPair) -> Outcome:
        found = judge(pair)
        # Only a 0 can come from a reference that is too short: the rest need not be tokenised again.
        if found.statistics is not None and found.statistics[0] == 0:
            tokens = len(_tokenizer(stem).tokenize(pair.reference))
            if tokens < SHORTEST[variant]:
                return Outcome.not_applicable(
                    f"the reference has {tokens} ROUGE tokens, {variant} needs {SHORTEST[variant]}"
                )
        return found

    return Metric(variant, TextPair, each(outcome), worst_mean(0.0), _signature(variant, stem))


def rouge1(*, stem: bool = False) -> Metric:
    """Unigram F1; ``stem``: Porter-stem words of more than three letters.

    An empty prediction is 0; a reference without a token is ``not_applicable``.
    """
    return _rouge("rouge1", stem)


def rouge2(*, stem: bool = False) -> Metric:
    """Bigram F1; options as ``rouge1``. A reference of fewer than two tokens is ``not_applicable``."""
    return _rouge("rouge2", stem)


def rouge_l(*, stem: bool = False) -> Metric:
    """F1 of the longest common subsequence of the whole texts (``rougeL``, newlines ignored); options as ``rouge1``."""
    return _rouge("rougeL", stem)


def upstream_rouge1() -> Metric:
    """ROUGE-1 as the reference calls it (Hugging Face ``rouge``, no stemmer); a text without a token is 0."""

    def tokens(text: str) -> object:
        return _tokenizer(False).tokenize(text)

    judge = upstream(lambda prediction, reference: _f1("rouge1", False, prediction, reference), tokens)
    return Metric("rouge1", TextPair, each(judge), worst_mean(0.0), f"upstream|{_signature('rouge1', False)}")
