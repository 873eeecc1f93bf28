"""Referring expression comprehension: a name, a definition (M3D-Seg) or a question (M3D-RefSeg) in, a box out."""

from __future__ import annotations

from collections.abc import Iterator

from m3dbench.data.records import MaskRecord, ReferringRecord
from m3dbench.data.sample import Reference, Sample
from m3dbench.metrics.boxes import mask_to_box
from m3dbench.task import Asking, Task
from m3dbench.tasks.expressions import Referable, expressions

QUESTIONS = {
    "name": (
        "Give the bounding box of the {}.",
        "Where is the {}? Answer with a bounding box.",
        "Locate the {} with a box.",
    ),
    "definition": ("{} Give the bounding box of what this describes.", "{} Where is it? Answer with a bounding box."),
    "question": ("{} Answer with a bounding box.", "{} Give the bounding box of what is asked for."),
}


class Rec(Task[Referable]):
    name = "rec"
    title = "Referring expression comprehension"
    version = "1.0"
    answer = "box"
    records = (MaskRecord, ReferringRecord)
    metrics = {
        "corrected": ("iou", "acc@0.2", "acc@0.25", "acc@0.5", "presence_sensitivity", "presence_specificity"),
        "upstream": ("upstream.iou", "upstream.acc@0.2"),
    }
    primary = "iou"
    macro = "class"
    parts = ("0003",)

    def samples(self, record: Referable, ask: Asking) -> Iterator[Sample]:
        box = mask_to_box(ask.mask(record.mask))
        for one in expressions(record, ask):
            wording = ask.wording(one.id, *QUESTIONS.get(one.asked_by, QUESTIONS["question"])).format(one.text)
            yield Sample(
                id=one.id,
                case=record.case,
                volume=record.volume,
                request=one.request("locate", wording),
                reference=Reference(box=box, mask=record.mask, names=one.names, present=box is not None),
                strata={**one.strata, "presence": "present" if box else "absent"},
                excluded=one.excluded,
            )
