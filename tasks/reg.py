"""Referring expression generation: a box in, the name or a description of what it holds out (M3D-Seg).

An absent class has no box to show: it is asked for by name, and only the statement of absence is judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from m3dbench.data.names import accepted_names
from m3dbench.data.records import MaskRecord
from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.metrics.box_text import box_to_text
from m3dbench.metrics.boxes import mask_to_box
from m3dbench.task import Asking, Task
from m3dbench.tasks.text import TEXT_METRICS
from m3dbench.wording import Slot

ABSENT = ("Is there a {} in this scan?", "Can a {} be seen here?")
NO_ANSWER = ("No {} is visible in this scan.",)
# By (asked by, present). The reference asks for an absent class as REC does (Q-PROMPT-4).
QUESTIONS = {
    ("name", True): Slot(
        "PosREG_templates.cls_questions", 1, ("Which structure lies in the box {}?", "Name the structure inside {}.")
    ),
    ("description", True): Slot(
        "PosREG_templates.des_questions",
        1,
        ("Name and describe the structure inside {}.", "What lies in the box {}? Name it and describe it."),
    ),
    ("name", False): Slot("PosREC_templates.cls_questions", 1, ABSENT),
    ("description", False): Slot("PosREC_templates.des_questions", 1, ABSENT),
}
ANSWERS = {
    ("name", True): Slot("PosREG_templates.cls_answers", 1, ("This is the {}.",)),
    ("description", True): Slot("PosREG_templates.des_answers", 2, ("This is the {}. {}",)),
    ("name", False): Slot("PosREG_templates.cls_no_answers", 1, NO_ANSWER),
    ("description", False): Slot("PosREG_templates.des_no_answers", 1, NO_ANSWER),
}


class Reg(Task[MaskRecord]):
    name = "reg"
    title = "Referring expression generation"
    version = "1.0"
    answer = "text"
    record = MaskRecord
    metrics = {
        "corrected": ("name_exact", "name_f1", "absence_stated", *TEXT_METRICS["corrected"]),
        "upstream": TEXT_METRICS["upstream"],
    }
    primary = "name_exact"
    macro = "class"
    parts = ("0003",)
    slots = tuple(QUESTIONS.values())
    answers = tuple(ANSWERS.values())

    def samples(self, record: MaskRecord, ask: Asking) -> Iterator[Sample]:
        mask = ask.mask(record.mask)
        box = mask_to_box(mask)
        for asked_by in ask.ways(record.name, record.definitions):
            sample_id = f"{record.id}:{asked_by}"
            kind = (asked_by, box is not None)
            definition = ask.definition(sample_id, record.name, record.definitions) if asked_by == "description" else ""
            asked = definition if box is None and ask.upstream else ""
            target = "" if box is not None or asked else record.name
            shown = box_to_text(box, mask.shape) if box is not None else asked or target
            told = [record.name, definition] if definition and box is not None else [record.name]
            wording = ask.wording(sample_id, QUESTIONS[kind], shown)
            yield Sample(
                id=sample_id,
                case=record.case,
                volume=record.volume,
                request=Request("name_region", box=box, target=target, description=asked, wording=wording),
                reference=Reference(
                    text=ask.answer(sample_id, ANSWERS[kind], *told),
                    names=accepted_names(record.name),
                    present=box is not None,
                ),
                strata={**record.strata, "asked_by": asked_by, "presence": "present" if box else "absent"},
            )
