"""Referring expression comprehension: a name or a description in, a box out (M3D-Seg)."""

from __future__ import annotations

from collections.abc import Iterator

from m3dbench.data.names import accepted_names
from m3dbench.data.records import MaskRecord
from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.data.seeds import pick
from m3dbench.metrics.boxes import mask_to_box
from m3dbench.task import Asking, Task


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

    def samples(self, record: MaskRecord, ask: Asking) -> Iterator[Sample]:
        box = mask_to_box(ask.mask(record.mask))
        for asked_by in ("name", "description") if record.definitions else ("name",):
            sample_id = f"{record.id}:{asked_by}"
            description = (
                pick(record.definitions, ask.seed, "definition", sample_id) if asked_by == "description" else ""
            )
            request = Request(
                kind="locate",
                target=record.name if asked_by == "name" else "",
                description=description,
                wording=ask.wording(sample_id, *templates(asked_by)).format(
                    record.name if asked_by == "name" else description
                ),
            )
            yield Sample(
                id=sample_id,
                case=record.case,
                volume=record.volume,
                request=request,
                reference=Reference(
                    box=box, mask=record.mask, names=accepted_names(record.name), present=box is not None
                ),
                strata={**record.strata, "asked_by": asked_by, "presence": "present" if box else "absent"},
            )


def templates(asked_by: str) -> tuple[str, ...]:
    if asked_by == "name":
        return (
            "Give the bounding box of the {}.",
            "Where is the {}? Answer with a bounding box.",
            "Locate the {} with a box.",
        )
    return ("{} Give the bounding box of what this describes.", "{} Where is it? Answer with a bounding box.")
