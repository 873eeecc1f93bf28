"""What a judge is sent: texts stay between their fences whatever they hold."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judges import texts

from m3dbench.judge.identity import Judge
from m3dbench.judge.material import attacks, negated, part_of, shipped_cases, wrong_organ, wrong_side
from m3dbench.judge.prompt import Asking, as_data, messages
from m3dbench.judge.rubric import Rubric, find, shipped
from m3dbench.metrics.pairs import JudgedPair

RUBRIC = find("aspects-recall")
NASTY = st.text(alphabet="-0123456789abcdef BEGINDCAT<|>[/]_\n\r\x00\u202e\ud800\U000e0001", max_size=200) | st.text()


def body(pair: JudgedPair, asking: Asking = Asking(), rubric: Rubric = RUBRIC) -> dict[str, object]:  # noqa: B008
    return {"messages": list(messages(rubric, pair, asking))}


@given(NASTY, NASTY, NASTY)
def test_a_reader_of_fences_finds_each_text_whole(prediction: str, reference: str, question: str) -> None:
    pair = JudgedPair(prediction, reference, question)
    found = texts(body(pair))
    expected = {"CANDIDATE": prediction, "REFERENCE": reference, **({"QUESTION": question} if question else {})}
    assert found.keys() == expected.keys()
    for name, text in expected.items():
        sent = as_data(text).text
        assert found[name] == (sent if sent.strip() else "(this text is empty)")


@pytest.mark.parametrize("name", sorted(attacks(RUBRIC)))
def test_no_attack_leaves_its_fence_or_brings_control_tokens(name: str) -> None:
    text = attacks(RUBRIC)[name]("A wrong text.")
    found = texts(body(JudgedPair(text, "The reference.")))
    assert found["REFERENCE"] == "The reference."
    sent = "".join(str(message["content"]) for message in messages(RUBRIC, JudgedPair(text, "r"), Asking()))
    for token in ("<|im_end|>", "<|im_start|>", "\x00", "\x1b", "\u202e", "\u200b"):
        assert token not in sent
    assert len(sent) < 30_000


def test_the_fence_changes_with_text_seed_and_repeat_and_with_nothing_else() -> None:
    pair = JudgedPair("p", "r")

    def sent(pair: JudgedPair, **asking: int) -> str:
        return str(messages(RUBRIC, pair, Asking(**asking)))  # type: ignore[arg-type]

    assert sent(pair) == sent(pair)
    assert len({sent(pair), sent(pair, seed=1), sent(pair, repeat=1), sent(JudgedPair("q", "r"))}) == 4


def test_ordinary_reports_travel_as_they_are() -> None:
    for text in ("A nodule < 5 mm, [see below]; 3 > 2.", "Lésion du lobe supérieur", "左肺上叶结节", "می‌شود"):
        assert as_data(text).text == text


def test_everything_that_sets_judges_apart_is_in_the_identity() -> None:
    judge = Judge("m")
    others = [
        dataclasses.replace(judge, **change)
        for change in ({"model": "n"}, {"revision": "2"}, {"endpoint": "x"}, {"temperature": 0.5}, {"max_tokens": 9})
    ] + [judge.asked(seed=1), judge.asked(structured=False), judge.asked(max_characters=500)]
    rubrics = [*shipped(), dataclasses.replace(RUBRIC, version="2"), dataclasses.replace(RUBRIC, instructions="other")]
    signatures = [one.signature(RUBRIC) for one in others] + [judge.signature(rubric) for rubric in rubrics]
    assert len({*signatures}) == len(signatures)
    assert len({judge.key(RUBRIC, JudgedPair(*pair)) for pair in (("a", "b"), ("b", "a"), ("ab", ""), ("", "ab"))}) == 4
    assert Judge.from_json(judge.to_json()) == judge
    assert Rubric.from_json(RUBRIC.to_json()) == RUBRIC


def test_planted_errors_are_planted() -> None:
    assert wrong_side("The Left lung and the right kidney") == "The Right lung and the left kidney"
    assert wrong_organ("The liver is next to the Spleen") == "The spleen is next to the Liver"
    assert negated("No effusion is seen.") == "effusion is seen."
    assert negated("There is a cyst.") == "There is no cyst."
    assert wrong_side("The heart") is None
    for case in shipped_cases(RUBRIC):
        changed = {wrong_side(case.reference), wrong_organ(case.reference), negated(case.reference)}
        assert None not in changed
        assert len(changed | {case.reference}) == 4
        assert case.reference.startswith(part_of(case.reference))
