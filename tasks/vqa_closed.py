"""Closed visual question answering: choose among lettered options (M3D-VQA)."""

from __future__ import annotations

from collections.abc import Iterator

from m3dbench.data.records import QuestionRecord
from m3dbench.data.sample import Reference, Request, Sample, lettered
from m3dbench.task import Asking, Task


class VqaClosed(Task[QuestionRecord]):
    name = "vqa_closed"
    title = "Closed VQA"
    hub_kind = "visual-question-answering"
    version = "1.0"
    answer = "choice"
    records = (QuestionRecord,)
    metrics = {"corrected": ("accuracy", "accuracy_adjusted", "answer_parsed"), "upstream": ("upstream.accuracy",)}
    primary = "accuracy"
    macro = "question_type"

    def samples(self, record: QuestionRecord, ask: Asking) -> Iterator[Sample]:
        question, choices = ask.words.cell(record.question), ask.words.choices(record.choices)
        yield Sample(
            id=record.id,
            case=record.case,
            volume=record.volume,
            request=Request(
                kind="choose",
                question=question,
                choices=choices,
                wording=f"{question} Choices: {lettered(choices)}",
            ),
            reference=Reference(text=ask.words.cell(record.answer), choice=record.letter),
            strata=record.strata,
        )
