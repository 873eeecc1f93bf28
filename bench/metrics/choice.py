"""Closed questions (ChoicePair): accuracy, accuracy adjusted for chance, and the share of readable answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from m3dbench.metrics.choice_text import extract_choice
from m3dbench.metrics.core import FloatArray, Metric, Outcome, Statistics, each, worst_mean
from m3dbench.metrics.pairs import ChoicePair

__all__ = ["accuracy", "accuracy_adjusted", "answer_parsed", "extract_choice", "upstream_accuracy"]

_UNREADABLE = "the answer names no single offered option"
_EXTRACTION = "m3dbench extract_choice 1"


def accuracy() -> Metric:
    """Share of answers that name the reference's option, by ``extract_choice``; an unreadable answer fails with 0.

    Statistics (correct, 1). Unscored where the reference's letter is not among the offered ones. ``chance`` is
    (1 / choices, 1), NaN where the choices are unknown.
    """
    return Metric(
        name="accuracy",
        pair=ChoicePair,
        outcomes=each(lambda pair: _judge(pair, (1.0, 1.0), (0.0, 1.0))),
        worst_statistics=worst_mean(0.0),
        signature=f"accuracy; {_EXTRACTION}",
        family="rate",
        chance=lambda pair: (_guess(pair), 1.0),
    )


def accuracy_adjusted() -> Metric:
    """(accuracy - c) / (1 - c) with c the mean of 1 / choices: 0 is guessing, 1 is perfect, below 0 is worse than luck.

    Statistics (correct, 1 / choices, 1). NaN where no question has more than one option or where the choices of a
    question are unknown. ``worst`` is -1: all wrong with two options each; with more options the lowest is above that.
    """

    def outcome(pair: ChoicePair) -> Outcome:
        if not pair.choices:
            return Outcome.unscored("the offered choices are unknown, and so is chance")
        return _judge(pair, (1.0, _guess(pair), 1.0), worst(pair))

    def worst(pair: ChoicePair) -> Statistics:
        return (0.0, _guess(pair), 1.0)

    return Metric(
        name="accuracy_adjusted",
        pair=ChoicePair,
        outcomes=each(outcome),
        worst_statistics=worst,
        signature=f"(accuracy - c) / (1 - c), c = mean(1 / choices); {_EXTRACTION}",
        worst=-1.0,
        family="corpus",
        aggregate=_above_chance,
        chance=lambda pair: (_guess(pair), _guess(pair), 1.0),
    )


def answer_parsed() -> Metric:
    """Share of answers from which ``extract_choice`` reads an offered letter, right or wrong. Statistics (read, 1)."""

    def outcome(pair: ChoicePair) -> Outcome:
        return Outcome.scored(extract_choice(pair.prediction, pair.choices) is not None, 1.0)

    return Metric(
        name="answer_parsed",
        pair=ChoicePair,
        outcomes=each(outcome),
        worst_statistics=worst_mean(0.0),
        signature=f"answer parsed; {_EXTRACTION}",
        family="rate",
    )


def upstream_accuracy() -> Metric:
    """The reference's rule: right when the reference's letter and a full stop occur anywhere in the answer (Q-VQA-1).

    Case counts and nothing is unreadable. The quirk is named on an item whose status or verdict ``accuracy`` does not
    share; a reference that was not offered is Q-VQA-3 (the reference asks such questions, with choices lost).
    """

    def outcome(pair: ChoicePair) -> Outcome:
        verdict = Outcome.scored(f"{pair.answer}." in pair.prediction, 1.0)
        corrected = _judge(pair, (1.0, 1.0), (0.0, 1.0))
        if verdict.agrees(corrected):
            return verdict
        return replace(verdict, quirk="Q-VQA-3" if corrected.status == "unscored" else "Q-VQA-1")

    return Metric(
        name="accuracy",
        pair=ChoicePair,
        outcomes=each(outcome),
        worst_statistics=worst_mean(0.0),
        signature="accuracy; M3D 63e7200 eval_vqa: letter and full stop anywhere",
        family="rate",
    )


def _letter(letter: str) -> str:
    return letter.strip().upper()


def _guess(pair: ChoicePair) -> float:
    return 1.0 / len(pair.choices) if pair.choices else float("nan")


def _judge(pair: ChoicePair, right: Statistics, wrong: Statistics) -> Outcome:
    answer = _letter(pair.answer)
    if pair.choices and answer not in {_letter(letter) for letter in pair.choices}:
        return Outcome.unscored(f"the reference {pair.answer!r} is not an offered letter")
    chosen = extract_choice(pair.prediction, pair.choices)
    if chosen is None:
        return Outcome.failed(wrong, _UNREADABLE)
    return Outcome.scored(*(right if chosen == answer else wrong))


def _above_chance(sums: FloatArray) -> FloatArray:
    correct, guessed, n = sums[..., 0], sums[..., 1], sums[..., 2]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (correct - guessed) / (n - guessed)
    return np.asarray(np.where(n > guessed, value, np.nan), dtype=np.float64)
