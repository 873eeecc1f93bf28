"""REG metrics: naming the class, and stating that it is absent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3dbench.metrics.absence import states_absence
from m3dbench.metrics.core import Metric, Outcome
from m3dbench.metrics.names import absence_stated, name_exact, name_f1
from m3dbench.metrics.pairs import TextPair

NAMES = ("left kidney", "kidney left")


def judge(metric: Metric, prediction: str, names: tuple[str, ...] = NAMES, present: bool = True) -> Outcome:
    (outcome,) = metric.outcomes([TextPair(prediction, "", names, present)])
    return outcome


@pytest.mark.parametrize(
    "answer",
    [
        "left kidney",
        "The LEFT kidney.",
        "It is the left_kidney, a paired organ.",
        "Kidney (left)",
        "the left kidney, also called kidney left",
        "This is not the spleen but the left kidney.",
        "The spleen is not visible. The box holds the left kidney.",
        "Left\u00a0kidney",
    ],
)
def test_the_class_is_named(answer: str) -> None:
    assert judge(name_exact(), answer) == Outcome.scored(1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "kidney",
        "right kidney",
        "left kidneys",
        "cleft kidney",
        "It is not the left kidney.",
        "There is no left kidney.",
        "The left kidney cannot be seen.",
    ],
)
def test_the_class_is_not_named(answer: str) -> None:
    assert judge(name_exact(), answer) == Outcome.scored(0, 1)


def test_name_f1_is_the_best_over_the_names() -> None:
    assert judge(name_f1(), "the left lung") == Outcome.scored(0.5, 1)
    assert judge(name_f1(), "renal organ", ("left kidney", "renal organ")) == Outcome.scored(1, 1)
    assert judge(name_f1(), "left left left", ("left kidney",)) == Outcome.scored(0.5, 1)
    assert judge(name_f1(), "kidney", ("left kidney",)) == Outcome.scored(2 / 3, 1)
    assert judge(name_f1(), "") == Outcome.scored(0, 1)


def test_the_words_around_a_name_cost_nothing_in_name_f1() -> None:
    assert judge(name_f1(), "The box holds the left kidney, I think.") == Outcome.scored(1, 1)


@given(st.text(max_size=30), st.lists(st.text(max_size=12), max_size=3).map(tuple))
def test_any_text_has_a_value_in_range(answer: str, names: tuple[str, ...]) -> None:
    for metric in (name_exact(), name_f1()):
        outcome = judge(metric, answer, names)
        if outcome.statistics is not None:
            assert 0 <= metric.value(outcome.statistics) <= 1
    assert states_absence(answer) in {True, False}


@given(st.sampled_from(["spleen", "C1 vertebra", "left-sided IVC", "Müller's duct", "aorta (arch)"]))
def test_a_name_names_itself(name: str) -> None:
    assert judge(name_exact(), name, (name,)) == Outcome.scored(1, 1)
    assert judge(name_f1(), name, (name,)) == Outcome.scored(1, 1)


def test_where_each_metric_applies() -> None:
    for metric in (name_exact(), name_f1()):
        assert judge(metric, "left kidney", present=False).status == "not_applicable"
        assert judge(metric, "left kidney", names=()).status == "not_applicable"
        assert judge(metric, "left kidney", names=("the", "?")).status == "not_applicable"
    assert judge(absence_stated(), "No.").status == "not_applicable"
    assert judge(absence_stated(), "No.", present=False) == Outcome.scored(1, 1)
    assert judge(absence_stated(), "The left kidney.", present=False) == Outcome.scored(0, 1)


@pytest.mark.parametrize(
    "answer",
    [
        "No",
        "No, it is not.",
        "None.",
        "Sorry, there is no spleen in this scan.",
        "there aren't any",
        "The spleen is not visible.",
        "The spleen isn't clearly seen here",
        "It’s not in the image",
        "Spleen could not be identified",
        "I can't see it",
        "I cannot find a spleen.",
        "Unable to locate the spleen",
        "The scan does not contain a spleen.",
        "This volume doesn't show it.",
        "No spleen is visible.",
        "No such structure was found",
        "No evidence of a spleen",
        "The spleen is absent.",
        "It is missing from the volume",
    ],
)
def test_absence_is_stated(answer: str) -> None:
    assert states_absence(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Yes.",
        "The spleen",
        "Normal spleen",
        "The nodule lies in the left lobe.",
        "There is no doubt that this is the spleen.",
        "The spleen is not absent.",
        "It is at [0.1, 0.2, 0.3, 0.4, 0.5, 0.6].",
        "A known cyst is seen.",
    ],
)
def test_absence_is_not_stated(answer: str) -> None:
    assert not states_absence(answer)
