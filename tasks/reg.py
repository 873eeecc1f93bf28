"""Referring expression generation: a box in, the name or a description of what it holds out (M3D-Seg, M3D-RefSeg).

An absent class has no box to show: it is asked for by name, and only the statement of absence is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from m3dbench.data.records import BoxRecord, MaskRecord, ReferringRecord
from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.metrics.box_text import box_to_text
from m3dbench.metrics.boxes import mask_to_box
from m3dbench.task import Asking, Task
from m3dbench.tasks.expressions import UNSEEN, Expression, Referable, expressions
from m3dbench.tasks.sentences import REG_ANSWERS, REG_QUESTIONS
from m3dbench.tasks.text import TEXT_METRICS


class Reg(Task[Referable]):
    name = "reg"
    title = "Referring expression generation"
    hub_kind = "image-to-text"
    version = "1.0"
    answer = "text"
    records = (MaskRecord, ReferringRecord, BoxRecord)
    metrics = {
        "corrected": ("name_exact", "name_f1", "absence_stated", *TEXT_METRICS["corrected"]),
        "upstream": TEXT_METRICS["upstream"],
    }
    primary = "name_exact"
    macro = "class"
    parts = ("0003",)
    slots = tuple(REG_QUESTIONS.values())
    answers = tuple(REG_ANSWERS.values())

    def samples(self, record: Referable, ask: Asking) -> Iterator[Sample]:
        mask = ask.mask(record.mask)
        box = mask_to_box(mask)
        present = box is not None
        for one in expressions(record, ask):
            description = one.text if one.asked_by == "definition" and not present and ask.upstream else ""
            target = "" if present or description else one.name
            shown = box_to_text(box, mask.shape) if box is not None else description or target or one.text
            slot = REG_QUESTIONS.get((one.asked_by, present), REG_QUESTIONS["question", present])
            wording = ask.wording(one.id, slot, shown)
            yield Sample(
                id=one.id,
                case=record.case,
                volume=record.volume,
                request=Request("name_region", box=box, target=target, description=description, wording=wording),
                reference=Reference(text=told(record, one, present, ask), names=one.names, present=present),
                strata={**one.strata, "presence": "present" if present else "absent"},
                # A box is no ambiguous question: the reference names its class beside the definition.
                excluded=one.excluded if one.excluded == UNSEEN else "",
            )


def told(record: Referable, one: Expression, present: bool, ask: Asking) -> str:
    """The reference text."""
    if isinstance(record, ReferringRecord):
        return re.sub(r"\s*\[SEG\]", "", record.answer)
    values = [one.name, one.text] if one.asked_by == "definition" and present else [one.name]
    return ask.answer(one.id, REG_ANSWERS[one.asked_by, present], *values)
