"""Referring expression comprehension: a name, a definition or a question in, a box out (M3D-Seg, M3D-RefSeg)."""

from __future__ import annotations

from collections.abc import Iterator

from m3dbench.data.records import BoxRecord, MaskRecord, ReferringRecord
from m3dbench.data.sample import Reference, Sample
from m3dbench.metrics.box_text import box_to_text
from m3dbench.metrics.boxes import mask_to_box
from m3dbench.task import Asking, Task
from m3dbench.tasks.expressions import Referable, expressions
from m3dbench.tasks.sentences import REC_ANSWERS, REC_QUESTIONS


class Rec(Task[Referable]):
    name = "rec"
    title = "Referring expression comprehension"
    hub_kind = "object-detection"
    version = "1.0"
    answer = "box"
    records = (MaskRecord, ReferringRecord, BoxRecord)
    metrics = {
        "corrected": ("iou", "acc@0.2", "acc@0.25", "acc@0.5", "presence_sensitivity", "presence_specificity"),
        "upstream": ("upstream.iou", "upstream.acc@0.2"),
    }
    primary = "iou"
    macro = "class"
    parts = ("0003",)
    slots = tuple(REC_QUESTIONS.values())
    answers = tuple(REC_ANSWERS.values())

    def samples(self, record: Referable, ask: Asking) -> Iterator[Sample]:
        mask = ask.mask(record.mask)
        box = mask_to_box(mask)
        for one in expressions(record, ask):
            wording = ask.wording(one.id, REC_QUESTIONS.get(one.asked_by, REC_QUESTIONS["question"]), one.text)
            sentence = REC_ANSWERS.get((one.asked_by, box is not None))
            told = [one.name] if box is None or one.asked_by != "name" else []
            told += [box_to_text(box, mask.shape)] if box is not None else []
            yield Sample(
                id=one.id,
                case=record.case,
                volume=record.volume,
                request=one.request("locate", wording),
                reference=Reference(
                    text=ask.answer(one.id, sentence, *told) if sentence is not None else "",
                    box=box,
                    mask=record.mask,
                    names=one.names,
                    present=box is not None,
                ),
                strata={**one.strata, "presence": "present" if box else "absent"},
                excluded=one.excluded,
            )
