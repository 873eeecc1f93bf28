"""Referring expression generation: a box in, the name or a description of what it holds out (M3D-Seg, M3D-RefSeg).

An absent class has no box to show: it is asked for by name, and only the statement of absence is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from m3dbench.data.records import MaskRecord, ReferringRecord
from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.metrics.box_text import box_to_text
from m3dbench.metrics.boxes import mask_to_box
from m3dbench.task import Asking, Task
from m3dbench.tasks.expressions import UNSEEN, Expression, Referable, expressions
from m3dbench.tasks.text import TEXT_METRICS

QUESTIONS = {
    "name": ("Which structure lies in the box {}?", "Name the structure inside {}."),
    "definition": ("Name and describe the structure inside {}.", "What lies in the box {}? Name it and describe it."),
    "question": ("Describe what lies in the box {}.", "What is there to see inside {}?"),
    "absent": ("Is there a {} in this scan?", "Can a {} be seen here?"),
}


class Reg(Task[Referable]):
    name = "reg"
    title = "Referring expression generation"
    version = "1.0"
    answer = "text"
    records = (MaskRecord, ReferringRecord)
    metrics = {
        "corrected": ("name_exact", "name_f1", "absence_stated", *TEXT_METRICS["corrected"]),
        "upstream": TEXT_METRICS["upstream"],
    }
    primary = "name_exact"
    macro = "class"
    parts = ("0003",)

    def samples(self, record: Referable, ask: Asking) -> Iterator[Sample]:
        mask = ask.mask(record.mask)
        box = mask_to_box(mask)
        for one in expressions(record, ask):
            shown = box_to_text(box, mask.shape) if box is not None else one.name or one.text
            wording = ask.wording(one.id, *questions(one, box is not None)).format(shown)
            yield Sample(
                id=one.id,
                case=record.case,
                volume=record.volume,
                request=Request(kind="name_region", box=box, target="" if box else one.name, wording=wording),
                reference=Reference(text=told(record, one, box is not None), names=one.names, present=box is not None),
                strata={**one.strata, "presence": "present" if box else "absent"},
                # A box is no ambiguous question: the reference names its class beside the definition.
                excluded=one.excluded if one.excluded == UNSEEN else "",
            )


def questions(one: Expression, present: bool) -> tuple[str, ...]:
    """The sentences to choose from; without a box and a name, the data set's own question."""
    if not present:
        return QUESTIONS["absent"] if one.name else ("{}",)
    return QUESTIONS.get(one.asked_by, QUESTIONS["question"])


def told(record: Referable, one: Expression, present: bool) -> str:
    """The reference text."""
    if isinstance(record, ReferringRecord):
        return re.sub(r"\s*\[SEG\]", "", record.answer)
    if not present:
        return f"No {one.name} is visible in this scan."
    return f"{one.name.capitalize()}: {one.text}" if one.asked_by == "definition" else f"This is the {one.name}."
