"""Referring segmentation: a definition (M3D-Seg) or a question about a finding (M3D-RefSeg) in, a mask out."""

from __future__ import annotations

from collections.abc import Iterator

from m3dbench.data.records import MaskRecord, ReferringRecord
from m3dbench.data.sample import Reference, Sample
from m3dbench.errors import ExitCode, UserError
from m3dbench.task import Asking, Task
from m3dbench.tasks.expressions import Referable, expressions
from m3dbench.tasks.masks import MASK_METRICS
from m3dbench.wording import Slot

DEFINED = Slot(
    "Seg_templates.des_questions",
    1,
    ("{} Segment what this describes.", "{} Mark every voxel of it.", "Outline this in the volume: {}"),
)
# A question of M3D-RefSeg asks for the segmentation itself.
ASKED = Slot("a data set's question, as it is", 1, ("{}",))


class SegReferring(Task[Referable]):
    name = "seg_referring"
    title = "Referring segmentation"
    hub_kind = "image-segmentation"
    version = "1.0"
    answer = "mask"
    records = (MaskRecord, ReferringRecord)
    metrics = MASK_METRICS
    primary = "dice"
    macro = "class"
    parts = ("0003", "0011", "0012", "M3D-RefSeg")
    slots = (DEFINED, ASKED)

    def samples(self, record: Referable, ask: Asking) -> Iterator[Sample]:
        if isinstance(record, MaskRecord) and not ask.described(record.name, record.definitions):
            raise UserError(
                f"the class {record.name!r} has no definition to refer to it by",
                record=record.id,
                fix="add some to the data set's term_dictionary.json, or choose other --datasets",
                code=ExitCode.NOTHING_TO_SCORE,
            )
        for one in expressions(record, ask):
            if one.asked_by == "name":
                continue  # that is semantic segmentation
            wording = ask.wording(one.id, DEFINED if one.asked_by == "definition" else ASKED, one.text)
            yield Sample(
                id=one.id,
                case=record.case,
                volume=record.volume,
                request=one.request("segment", wording),
                reference=Reference(mask=record.mask, names=one.names),
                strata=one.strata,
                excluded=one.excluded,
            )
