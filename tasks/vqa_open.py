"""Open visual question answering: the same questions without options (M3D-VQA)."""

from __future__ import annotations

from collections.abc import Iterator

from m3dbench.data.records import QuestionRecord
from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.task import Asking, Task
from m3dbench.tasks.text import TEXT_METRICS


class VqaOpen(Task[QuestionRecord]):
    name = "vqa_open"
    title = "Open VQA"
    hub_kind = "visual-question-answering"
    version = "1.0"
    answer = "text"
    records = (QuestionRecord,)
    metrics = TEXT_METRICS
    primary = "bleu1"
    macro = "question_type"

    def samples(self, record: QuestionRecord, ask: Asking) -> Iterator[Sample]:
        question = ask.words.cell(record.question)
        yield Sample(
            id=record.id,
            case=record.case,
            volume=record.volume,
            request=Request(kind="answer", question=question, wording=question),
            reference=Reference(text=ask.words.cell(record.answer)),
            strata=record.strata,
        )
