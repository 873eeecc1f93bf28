"""Referring expression comprehension: a name or a description in, a box out (M3D-Seg)."""

from __future__ import annotations

from collections.abc import Iterator

from m3dbench.data.names import accepted_names
from m3dbench.data.records import MaskRecord
from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.metrics.box_text import box_to_text
from m3dbench.metrics.boxes import mask_to_box
from m3dbench.task import Asking, Task
from m3dbench.wording import Slot

QUESTIONS = {
    "name": Slot(
        "PosREC_templates.cls_questions",
        1,
        (
            "Give the bounding box of the {}.",
            "Where is the {}? Answer with a bounding box.",
            "Locate the {} with a box.",
        ),
    ),
    "description": Slot(
        "PosREC_templates.des_questions",
        1,
        ("{} Give the bounding box of what this describes.", "{} Where is it? Answer with a bounding box."),
    ),
}
# Our reference is the box; the reference's is a sentence around it, by (asked by, present).
ANSWERS = {
    ("name", True): Slot("PosREC_templates.cls_answers", 1, ("",)),
    ("description", True): Slot("PosREC_templates.des_answers", 2, ("",)),
    ("name", False): Slot("PosREC_templates.cls_no_answers", 1, ("",)),
    ("description", False): Slot("PosREC_templates.des_no_answers", 1, ("",)),
}


class Rec(Task[MaskRecord]):
    name = "rec"
    title = "Referring expression comprehension"
    version = "1.0"
    answer = "box"
    record = MaskRecord
    metrics = {
        "corrected": ("iou", "acc@0.2", "acc@0.25", "acc@0.5", "presence_sensitivity", "presence_specificity"),
        "upstream": ("upstream.iou", "upstream.acc@0.2"),
    }
    primary = "iou"
    macro = "class"
    parts = ("0003",)
    slots = tuple(QUESTIONS.values())
    answers = tuple(ANSWERS.values())

    def samples(self, record: MaskRecord, ask: Asking) -> Iterator[Sample]:
        mask = ask.mask(record.mask)
        box = mask_to_box(mask)
        for asked_by in ask.ways(record.name, record.definitions):
            sample_id = f"{record.id}:{asked_by}"
            by_name = asked_by == "name"
            definition = "" if by_name else ask.definition(sample_id, record.name, record.definitions)
            wording = ask.wording(sample_id, QUESTIONS[asked_by], record.name if by_name else definition)
            told = [record.name] if box is None or not by_name else []
            told += [box_to_text(box, mask.shape)] if box is not None else []
            yield Sample(
                id=sample_id,
                case=record.case,
                volume=record.volume,
                request=Request(
                    "locate", target=record.name if by_name else "", description=definition, wording=wording
                ),
                reference=Reference(
                    text=ask.answer(sample_id, ANSWERS[asked_by, box is not None], *told),
                    box=box,
                    mask=record.mask,
                    names=accepted_names(record.name),
                    present=box is not None,
                ),
                strata={**record.strata, "asked_by": asked_by, "presence": "present" if box else "absent"},
            )
