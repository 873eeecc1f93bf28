"""Reading a letter out of an answer, and the accuracies built on it."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3dbench.metrics.choice import accuracy, accuracy_adjusted, answer_parsed, extract_choice, upstream_accuracy
from m3dbench.metrics.core import FloatArray, Metric, Outcome
from m3dbench.metrics.pairs import ChoicePair

ORGANS = {"A": "Liver", "B": "Left lung", "C": "Lung", "D": "Spleen"}
LISTING = "A. Liver B. Left lung C. Lung D. Spleen"

READ = {
    "A letter by itself": [
        ("B", "B"),
        (" b ", "B"),
        ("B.", "B"),
        ("(B)", "B"),
        ("[B]", "B"),
        ("**B**", "B"),
        ("B</s>", "B"),
    ],
    "a letter and its text": [
        ("B) Left lung", "B"),
        ("B: Left lung", "B"),
        ("A - Liver", "A"),
        ("A Liver", "A"),
        ("**D.** Spleen", "D"),
        ("D. Spleen, because option A is too far right.", "D"),
    ],
    "the letter wins over a text that disagrees": [("B. Spleen", "B"), ("Answer: A (spleen)", "A")],
    "after a marker": [
        ("Answer: B", "B"),
        ("ANSWER - b", "B"),
        ("The answer is B", "B"),
        ("The correct option is (D).", "D"),
        ("The answer is most likely C because of the air.", "C"),
        ("It is not the liver, nor option A, so the answer is C", "C"),
        ("Left lung or lung? Answer:\nSpleen", "D"),
        ("The answer is the left lung, not the spleen.", "B"),
        ("The wrong answer is A. The right answer is B", "B"),
        ("First I said the answer is A.\nFinal answer: **D**", "D"),
        (f"Choices: {LISTING} Answer: D", "D"),
    ],
    "mentioned once": [
        ("option B", "B"),
        ("I choose C.", "C"),
        ("It's B.", "B"),
        ("B is correct.", "B"),
        ("The image shows (D), not (A).", "D"),
        ("Option A is wrong. Option B is correct.", "B"),
        ("We see air on one side only.\nB", "B"),
        ("The picture shows D. Spleen", "D"),
    ],
    "text of one option": [
        ("Left lung", "B"),
        ("left   LUNG!", "B"),
        ("The lung", "C"),
        ("It lies in the left lung.", "B"),
        ("A mass is seen in the spleen.", "D"),
        ("Not the liver but the spleen", "D"),
    ],
    "unicode": [
        ("Ｂ．", "B"),
        ("（Ｃ）", "C"),
        ("$\\boxed{\\text{C}}$", "C"),
        ("<answer>D</answer>", "D"),
        ("Ｓｐｌｅｅｎ", "D"),
    ],
}
UNREADABLE = [
    "",
    "  \n ",
    "A mass is seen",
    "The answer is a mass",
    "B cell lymphoma",
    "not A",
    "The answer is not A",
    "B is not the answer",
    "Neither A nor B",
    "A or B",
    "The answer is A or B.",
    "Answer: A, B",
    "A/B/C/D",
    "ABCD",
    LISTING,
    f"Answer: {LISTING}",
    LISTING.replace(" B", "\nB").replace(" C", "\nC").replace(" D", "\nD"),
    "A) B) C) D)",
    "(A) (B) (C) (D)",
    "liver or spleen",
    "No liver",
    "E",
    "E. Liver",
    "Answer: E",
    "CTA.",
    "IVC.",
    "Les poumons",
]


@pytest.mark.parametrize(("text", "letter"), [case for cases in READ.values() for case in cases])
def test_reads_the_letter(text: str, letter: str) -> None:
    assert extract_choice(text, ORGANS) == letter


@pytest.mark.parametrize("text", UNREADABLE)
def test_reads_nothing(text: str) -> None:
    assert extract_choice(text, ORGANS) is None


@pytest.mark.parametrize(
    ("text", "choices", "letter"),
    [
        ("E. coli infection", {"A": "Virus", "B": "E. coli infection"}, "B"),
        ("B. fragilis is likely", {"A": "B. fragilis", "B": "Candida"}, "A"),
        ("2", {"A": "1", "B": "2"}, "B"),
        ("<5 cm", {"A": "<5 cm", "B": ">5 cm"}, "A"),
        ("about 5 cm", {"A": "<5 cm", "B": ">5 cm"}, None),
        ("1.5 cm", {"A": "5 cm", "B": "4 cm"}, None),
        ("No, nothing is seen", {"A": "Yes", "B": "No"}, "B"),
        ("A", {"A": "B", "B": "A"}, "A"),
        ("Liver", {"A": "Liver", "B": "liver."}, None),
        ("C", {"A": "Yes", "B": "No"}, None),
        ("None of the above", {"A": "Liver", "B": "None of the above"}, "B"),
        ("T2 weighted", {"A": "T1-weighted", "B": "T2-weighted"}, "B"),
        ("b", {"a": "Yes", "b": "No"}, "B"),
        ("D. whatever", {}, "D"),
        ("E. whatever", {}, None),
    ],
)
def test_other_choices(text: str, choices: dict[str, str], letter: str | None) -> None:
    assert extract_choice(text, choices) == letter


@given(st.text(max_size=200), st.dictionaries(st.sampled_from("ABCDEF"), st.text(max_size=12), max_size=6))
def test_never_invents_a_letter(text: str, choices: dict[str, str]) -> None:
    read = extract_choice(text, choices)
    assert read is None or read in (choices or "ABCD")
    assert read == extract_choice(text, dict(reversed(choices.items())))


@given(st.text(alphabet=string.ascii_letters + " .,:()\n*", max_size=80))
def test_order_of_the_choices_never_matters(text: str) -> None:
    assert extract_choice(text, ORGANS) == extract_choice(text, dict(reversed(ORGANS.items())))


@given(
    st.sampled_from("ABCD"),
    st.sampled_from(["{}", "{}.", "({})", "**{}**", "Answer: {}", "The answer is {}.", "option {}"]),
)
def test_formats_do_not_change_the_letter(letter: str, wording: str) -> None:
    assert extract_choice(wording.format(letter), ORGANS) == letter
    assert extract_choice(f"{wording.format(letter)} {ORGANS[letter]}", ORGANS) == letter


def _sums(metric: Metric, pairs: Sequence[ChoicePair]) -> FloatArray:
    judged = [outcome.statistics for outcome in metric.outcomes(pairs) if outcome.statistics is not None]
    assert len(judged) == len(pairs)
    total: FloatArray = np.asarray(judged, dtype=np.float64).sum(axis=0)
    return total


def _one(metric: Metric, pair: ChoicePair) -> Outcome:
    (outcome,) = metric.outcomes([pair])
    return outcome


def test_accuracy_fails_the_unreadable_and_leaves_bad_references_unscored() -> None:
    metric = accuracy()
    assert _one(metric, ChoicePair("B.", "b", ORGANS)) == Outcome.scored(1, 1)
    assert _one(metric, ChoicePair("A.", "B", ORGANS)) == Outcome.scored(0, 1)
    failed = _one(metric, ChoicePair("who knows", "B", ORGANS))
    assert (failed.status, failed.statistics) == ("failed", metric.worst_statistics(ChoicePair("", "B", ORGANS)))
    assert failed.reason
    assert _one(metric, ChoicePair("B.", "E", ORGANS)).status == "unscored"
    assert _one(metric, ChoicePair("B.", "B")) == Outcome.scored(1, 1)


def test_chance_is_one_over_the_choices() -> None:
    chance = accuracy().chance
    assert chance is not None
    assert chance(ChoicePair("", "A", ORGANS)) == (0.25, 1.0)
    assert math.isnan(chance(ChoicePair("", "A"))[0])


def test_adjusted_accuracy_is_zero_for_guessing_and_one_for_perfect() -> None:
    metric = accuracy_adjusted()
    pairs = [ChoicePair("A", "A", ORGANS)] + [ChoicePair("B", "A", ORGANS)] * 3
    sums = _sums(metric, pairs)
    assert metric.aggregate(sums) == pytest.approx(0.0)
    assert metric.value((1.0, 0.25, 1.0)) == 1.0
    assert metric.value(metric.worst_statistics(ChoicePair("", "A", {"A": "Yes", "B": "No"}))) == metric.worst == -1.0
    assert metric.family == "corpus"
    assert metric.aggregate(np.ones((2, 5, 3))).shape == (2, 5)


def test_adjusted_accuracy_mixes_numbers_of_choices() -> None:
    metric = accuracy_adjusted()
    pairs = [ChoicePair("A", "A", ORGANS), ChoicePair("nothing", "A", {"A": "Yes", "B": "No"})]
    sums = _sums(metric, pairs)
    c = (0.25 + 0.5) / 2
    assert metric.aggregate(sums) == pytest.approx((0.5 - c) / (1 - c))


def test_adjusted_accuracy_without_chance_is_undefined() -> None:
    metric = accuracy_adjusted()
    assert _one(metric, ChoicePair("A", "A")).status == "unscored"
    assert math.isnan(metric.value((1.0, 1.0, 1.0)))


def test_answer_parsed_scores_always() -> None:
    metric = answer_parsed()
    assert _one(metric, ChoicePair("A", "B", ORGANS)) == Outcome.scored(1, 1)
    assert _one(metric, ChoicePair("hm", "B", ORGANS)) == Outcome.scored(0, 1)


@pytest.mark.parametrize(
    ("text", "answer", "value", "quirk"),
    [
        ("B. Left lung", "B", 1, ""),
        (LISTING, "B", 1, "Q-VQA-1"),
        ("A CTA.", "A", 1, "Q-VQA-1"),
        ("B", "B", 0, "Q-VQA-1"),
        ("(B)", "B", 0, "Q-VQA-1"),
        ("Left lung", "B", 0, "Q-VQA-1"),
        ("b.", "B", 0, "Q-VQA-1"),
        ("A. Liver", "B", 0, ""),
    ],
)
def test_upstream_looks_for_letter_and_full_stop(text: str, answer: str, value: int, quirk: str) -> None:
    outcome = _one(upstream_accuracy(), ChoicePair(text, answer, ORGANS))
    assert outcome == Outcome("scored", (float(value), 1.0), quirk=quirk)


@pytest.mark.parametrize(
    "unit", ["answer is ", "A ", "A. ", "not the ", " ", "\n", "_", "(", "left ", "option ", "- ", "lung or spleen "]
)
def test_long_answers_are_read(unit: str) -> None:
    assert extract_choice(f"x{unit * 5_000}x", ORGANS) is None
