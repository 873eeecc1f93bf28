"""Referring expression generation: a box in, the name or a description of what it holds out (M3D-Seg).

An absent class has no box to show: it is asked for by name, and only the statement of absence is judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from m3dbench.data.names import accepted_names
from m3dbench.data.records import MaskRecord
from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.data.seeds import pick
from m3dbench.metrics.box_text import box_to_text
from m3dbench.metrics.boxes import mask_to_box
from m3dbench.task import Asking, Task
from m3dbench.tasks.text import TEXT_METRICS

QUESTIONS = {
    "name": ("Which structure lies in the box {}?", "Name the structure inside {}."),
    "description": ("Name and describe the structure inside {}.", "What lies in the box {}? Name it and describe it."),
    "absent": ("Is there a {} in this scan?", "Can a {} be seen here?"),
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

    def samples(self, record: MaskRecord, ask: Asking) -> Iterator[Sample]:
        mask = ask.mask(record.mask)
        box = mask_to_box(mask)
        for asked_by in ("name", "description") if record.definitions else ("name",):
            sample_id = f"{record.id}:{asked_by}"
            text = f"No {record.name} is visible in this scan."
            if box is not None:
                definition = (
                    pick(record.definitions, ask.seed, "definition", sample_id) if asked_by == "description" else ""
                )
                text = f"{record.name.capitalize()}: {definition}" if definition else f"This is the {record.name}."
            shown = box_to_text(box, mask.shape) if box is not None else record.name
            wording = ask.wording(sample_id, *QUESTIONS[asked_by if box is not None else "absent"]).format(shown)
            yield Sample(
                id=sample_id,
                case=record.case,
                volume=record.volume,
                request=Request(kind="name_region", box=box, target="" if box else record.name, wording=wording),
                reference=Reference(text=text, names=accepted_names(record.name), present=box is not None),
                strata={**record.strata, "asked_by": asked_by, "presence": "present" if box else "absent"},
            )
