"""BLEU, ROUGE and METEOR under corrected scoring."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3dbench.metrics.core import Metric, Outcome
from m3dbench.metrics.pairs import TextPair
from m3dbench.metrics.text import bleu, meteor, rouge

VOCABULARY = ["no", "focal", "lesion", ".", "liver", "Liver", "kidney", ",", "3.5", "cm", "left"]
WORDS = st.lists(st.sampled_from(VOCABULARY), max_size=12).map(" ".join)
FACTORIES: list[Callable[[], Metric]] = [
    bleu.bleu1,
    bleu.bleu2,
    bleu.bleu3,
    bleu.bleu4,
    bleu.corpus_bleu,
    rouge.rouge1,
    rouge.rouge2,
    rouge.rouge_l,
    meteor.meteor,
]
ALL = [factory() for factory in FACTORIES]


def judge(metric: Metric, prediction: str, reference: str) -> Outcome:
    (outcome,) = metric.outcomes([TextPair(prediction, reference)])
    return outcome


def value(metric: Metric, prediction: str, reference: str) -> float:
    outcome = judge(metric, prediction, reference)
    assert outcome.statistics is not None, outcome.reason
    return metric.value(outcome.statistics)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_empty_texts(metric: Metric) -> None:
    assert value(metric, " \n", "The liver is normal.") == 0
    assert judge(metric, "normal", "  ").status == "not_applicable"
    assert metric.value(metric.worst_statistics(TextPair("", "The liver is normal."))) == metric.worst == 0


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
@settings(max_examples=40, deadline=None)
@given(prediction=WORDS, reference=WORDS)
def test_range_and_identity(metric: Metric, prediction: str, reference: str) -> None:
    outcome = judge(metric, prediction, reference)
    if outcome.statistics is not None:
        found = metric.value(outcome.statistics)
        assert 0 <= found <= 1 or (metric.name == "corpus_bleu" and math.isnan(found))
        best = value(metric, reference, reference)
        assert not best > 1
        if metric.name not in {"meteor", "corpus_bleu"}:
            assert best == pytest.approx(1)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_the_value_of_a_pair_does_not_depend_on_its_chunk(metric: Metric) -> None:
    pairs = [TextPair(f"lesion {n} in the liver", "a lesion in segment 4") for n in range(6)]
    alone = [next(iter(metric.outcomes([pair]))) for pair in pairs]
    assert list(metric.outcomes(pairs)) == alone
    assert list(metric.outcomes(pairs[::-1])) == alone[::-1]


def test_bleu_compares_without_case_unless_told() -> None:
    assert value(bleu.bleu1(), "axial", "Axial") == 1
    assert value(bleu.bleu1(lowercase=False), "axial", "Axial") == 0
    assert bleu.bleu1().signature != bleu.bleu1(lowercase=False).signature


def test_short_exact_answers_get_full_bleu() -> None:
    assert value(bleu.bleu4(), "left lung", "left lung") == 1


def test_upstream_bleu_leaves_the_crash_of_the_reference_unscored() -> None:
    for prediction, reference in (("", "liver"), ("liver", ""), ("", "")):
        outcome = judge(bleu.upstream_bleu1(), prediction, reference)
        assert (outcome.status, outcome.quirk) == ("unscored", "Q-TXT-5")
        assert outcome.reason


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS.filter(str.strip)), min_size=1, max_size=8))
def test_corpus_bleu_is_that_of_sacrebleu(texts: list[tuple[str, str]]) -> None:
    from sacrebleu.metrics.bleu import BLEU

    metric = bleu.corpus_bleu()
    found = metric.outcomes([TextPair(*text) for text in texts])
    sums = np.sum([outcome.statistics for outcome in found], axis=0)
    if sums[-1] == 0:
        assert math.isnan(metric.aggregate(sums))
        return
    expected = BLEU(lowercase=True).corpus_score([text[0] for text in texts], [[text[1] for text in texts]])
    assert float(metric.aggregate(sums)) == pytest.approx(expected.score / 100, abs=1e-12)


def test_corpus_bleu_aggregates_many_resamples_at_once() -> None:
    metric = bleu.corpus_bleu()
    pairs = [
        TextPair("no focal lesion in the liver", "no focal lesion of the liver"),
        TextPair("x y", "a normal left kidney"),
    ]
    table = np.array([outcome.statistics for outcome in metric.outcomes(pairs)])
    draws = np.array([[[1, 0], [1, 1]], [[0, 2], [0, 0]]])
    values = metric.aggregate(draws @ table)
    assert values.shape == (2, 2)
    assert values[0, 0] == pytest.approx(metric.value(tuple(table[0])))
    assert values[1, 0] == 0
    assert math.isnan(values[1, 1])


def test_a_failed_sample_lowers_corpus_bleu() -> None:
    metric = bleu.corpus_bleu()
    pair = TextPair("no focal lesion in the liver", "no focal lesion in the liver")
    (outcome,) = metric.outcomes([pair])
    assert outcome.statistics is not None
    both = np.add(outcome.statistics, metric.worst_statistics(pair))
    assert float(metric.aggregate(both)) == pytest.approx(math.exp(-1))


def test_rouge_is_undefined_on_a_reference_without_its_tokens() -> None:
    assert judge(rouge.rouge1(), "liver", "肝脏").status == "not_applicable"
    assert judge(rouge.rouge2(), "liver", "liver").status == "not_applicable"
    assert value(rouge.upstream_rouge1(), "liver", "肝脏") == 0


def test_rouge_l_sees_word_order() -> None:
    prediction, reference = "left lower lobe nodule", "nodule lobe lower left"
    assert value(rouge.rouge1(), prediction, reference) == 1
    assert value(rouge.rouge_l(), prediction, reference) == 0.25


def test_stemming_is_an_option_and_stated() -> None:
    assert value(rouge.rouge1(), "lesions", "lesion") == 0
    assert value(rouge.rouge1(stem=True), "lesions", "lesion") == 1
    assert "stem:no" in rouge.rouge1().signature
    assert "stem:porter" in rouge.rouge1(stem=True).signature


@pytest.mark.parametrize(("answer", "expected"), [("axial", 0.5), ("left lung", 0.9375)])
def test_meteor_of_short_exact_answers(answer: str, expected: float) -> None:
    assert value(meteor.meteor(), answer, answer) == expected


def test_meteor_matches_stems_and_synonyms() -> None:
    assert value(meteor.meteor(), "lesions", "lesion") == 0.5
    assert value(meteor.meteor(), "tumour", "neoplasm") == 0.5
    assert value(meteor.meteor(), "liver", "kidney") == 0
