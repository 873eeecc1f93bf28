"""Semantic segmentation: a class name in, a mask out (M3D-Seg)."""

from __future__ import annotations

from collections.abc import Iterator

from m3dbench.data.names import accepted_names
from m3dbench.data.records import MaskRecord
from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.task import Asking, Task
from m3dbench.tasks.masks import MASK_METRICS
from m3dbench.wording import Slot

SEGMENT = Slot(
    "Seg_templates.cls_questions",
    1,
    ("Segment the {}.", "Outline the {} in this volume.", "Mark every voxel of the {}."),
)


class SegSemantic(Task[MaskRecord]):
    name = "seg_semantic"
    title = "Semantic segmentation"
    hub_kind = "image-segmentation"
    version = "1.0"
    answer = "mask"
    records = (MaskRecord,)
    metrics = MASK_METRICS
    primary = "dice"
    macro = "class"
    parts = ("0003", "0011", "0012")
    slots = (SEGMENT,)

    def samples(self, record: MaskRecord, ask: Asking) -> Iterator[Sample]:
        wording = ask.wording(record.id, SEGMENT, record.name)
        yield Sample(
            id=record.id,
            case=record.case,
            volume=record.volume,
            request=Request(kind="segment", target=record.name, wording=wording),
            reference=Reference(mask=record.mask, names=accepted_names(record.name)),
            strata=record.strata,
        )
