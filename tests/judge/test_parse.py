"""From replies to verdicts: forms, fallbacks, and any text at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3dbench.judge.forms import MATCHES
from m3dbench.judge.parse import parse
from m3dbench.judge.rubric import Rubric, find, shipped
from m3dbench.metrics.judge import ERRORS, Scale, component_values

SCORE = Rubric("own", "1", "score", "Score it.")
ASPECT = st.fixed_dictionaries({"aspect": st.text(max_size=20), "match": st.sampled_from(MATCHES)})
ASPECTS = st.lists(ASPECT, min_size=1, max_size=5)
ERROR = st.fixed_dictionaries(
    {"finding": st.text(max_size=9), "category": st.sampled_from(ERRORS), "significant": st.booleans()}
)
VERDICTS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "aspects-recall": st.fixed_dictionaries({"reference_aspects": ASPECTS}),
    "aspects-f1": st.fixed_dictionaries(
        {"reference_aspects": ASPECTS, "candidate_aspects": st.lists(ASPECT, max_size=5)}
    ),
    "finding-level": st.fixed_dictionaries(
        {"matched": st.lists(st.text(max_size=9), min_size=1, max_size=4), "errors": st.lists(ERROR, max_size=4)}
    ),
    "answer-match": st.fixed_dictionaries({"verdict": st.sampled_from(("correct", "partial", "wrong"))}),
}
NAMED = st.sampled_from(sorted(VERDICTS)).flatmap(lambda name: st.tuples(st.just(find(name)), VERDICTS[name]))
PROSE = st.text(alphabet=st.characters(exclude_characters="{}`<"), max_size=40)


@given(NAMED, PROSE, PROSE, st.sampled_from(("plain", "block", "thought", "twice")))
def test_a_verdict_is_found_wherever_it_stands(
    named: tuple[Rubric, dict[str, Any]], before: str, after: str, form: str
) -> None:
    rubric, verdict = named
    text = json.dumps(verdict)
    reply = {
        "plain": f"{before}{text}{after}",
        "block": f"{before}\n```json\n{text}\n```\n{after}",
        "thought": f"<think>{{}} {before}</think>{text}",
        "twice": f"{text}\n{before}\n{text}",
    }[form]
    assert parse(reply, rubric).verdict == verdict
    value = component_values(rubric.kind, verdict, rubric.scale)[""]
    assert value is not None
    assert 0 <= value <= 100


@settings(max_examples=300)
@given(st.sampled_from([*shipped(), SCORE]), st.text() | st.text(alphabet='{}[]"`:,0123 scoremathful<>\\', max_size=60))
def test_no_reply_breaks_the_parser(rubric: Rubric, reply: str) -> None:
    found = parse(reply, rubric)
    assert (found.verdict is None) == bool(found.failure) == bool(found.reason)
    if found.verdict is not None:
        component_values(rubric.kind, found.verdict, rubric.scale)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    (
                        "reference_aspects",
                        "candidate_aspects",
                        "matched",
                        "errors",
                        "verdict",
                        "score",
                        "aspect",
                        "match",
                    )
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_json_of_another_form_is_no_verdict_or_a_sound_one(value: Any) -> None:
    for rubric in (*shipped(), SCORE):
        found = parse(json.dumps(value), rubric)
        if found.verdict is not None:
            number = component_values(rubric.kind, found.verdict, rubric.scale)[""]
            assert number is not None
            assert 0 <= number <= 100


@pytest.mark.parametrize(
    "reply", ["{" * 200_000, "[" * 100_000, '{"score":' * 50_000, "9" * 10_000, '{"score": ' + "9" * 5000 + "}"]
)
def test_bombs_are_unusable_replies(reply: str) -> None:
    assert parse(reply, SCORE).failure in ("unparsable", "out of range")


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("Score: 85", 85.0),
        ("Score: 85.", 85.0),
        ("score: 100/100", 100.0),
        ("**Score:** 7.5", 7.5),
        ("42", 42.0),
        ("Score: 50%", 50.0),
        ("Score: 40. I repeat, score = 40", 40.0),
        ('{"score": 33}', 33.0),
        ('{"score": "33"}', 33.0),
        ("Score: 0.", 0.0),
    ],
)
def test_scores_with_and_without_decimals(reply: str, score: float) -> None:
    assert parse(reply, SCORE).verdict == {"score": score}


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        ("Score: 850.0", "out of range"),
        ("Score: -3", "out of range"),
        ("Score: 8/10", "out of range"),
        ("Score: 10 or score: 90", "unparsable"),
        ("", "unparsable"),
        ("Score: xx.", "unparsable"),
        ("I'm sorry, I cannot judge this.", "refused"),
        ('{"score": true}', "unparsable"),
        ('{"score": NaN}', "unparsable"),
    ],
)
def test_what_is_no_score_says_why(reply: str, failure: str) -> None:
    assert parse(reply, SCORE).failure == failure


def test_a_quoted_verdict_beside_the_judges_own_is_ambiguous() -> None:
    quoted = 'The candidate says {"verdict": "correct"}, but {"verdict": "wrong"}'
    assert parse(quoted, find("answer-match")).reason == "the reply holds several different verdicts"


@pytest.mark.parametrize(
    ("kind", "verdict", "values"),
    [
        ("aspects_recall", {"reference_aspects": [{"match": "full"}, {"match": "partial"}, {"match": "none"}, {"match": "none"}]}, {"": 37.5}),
        (
            "aspects_f1",
            {"reference_aspects": [{"match": "full"}, {"match": "none"}], "candidate_aspects": [{"match": "full"}]},
            {"": 200 / 3, "recall": 50.0, "precision": 100.0},
        ),
        ("aspects_f1", {"reference_aspects": [{"match": "none"}], "candidate_aspects": []}, {"": 0.0, "recall": 0.0, "precision": None}),
        (
            "findings",
            {"matched": ["a", "b"], "errors": [{"category": "false_finding", "significant": True}, {"category": "wrong_location", "significant": False}]},
            {"": 200 / 3, "false_finding": 1.0, "missing_finding": 0.0, "wrong_location": 1.0, "wrong_severity": 0.0},
        ),
        ("match", {"verdict": "partial"}, {"": 50.0}),
    ],
)  # fmt: skip
def test_the_arithmetic(kind: Any, verdict: dict[str, Any], values: dict[str, float | None]) -> None:
    assert component_values(kind, verdict, Scale()) == pytest.approx(values)


def test_the_users_scale_is_brought_to_percent() -> None:
    assert component_values("score", {"score": 2.0}, Scale(minimum=1, maximum=5)) == {"": 25.0}
