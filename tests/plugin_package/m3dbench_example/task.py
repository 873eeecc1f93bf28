"""A task: name the plane of a series."""

from collections.abc import Iterator

from m3dbench.data.records import ReportRecord
from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.task import Asking, Task
from m3dbench.wording import Slot

PLANE = Slot("plane", 0, ("In which plane was this series taken?", "Which plane is this?"))


class PlaneNaming(Task[ReportRecord]):
    name = "plane_naming"
    title = "Plane naming"
    version = "1.0"
    answer = "text"
    records = (ReportRecord,)
    metrics = {"corrected": ("name_exact", "length_ratio"), "upstream": ()}
    primary = "name_exact"
    macro = "plane"
    slots = (PLANE,)

    def samples(self, record: ReportRecord, ask: Asking) -> Iterator[Sample]:
        plane = record.strata["plane"]
        wording = ask.wording(record.id, PLANE)
        yield Sample(
            id=record.id,
            case=record.case,
            volume=record.volume,
            request=Request(kind="answer", question="Which plane is this?", wording=wording),
            reference=Reference(text=plane, names=(plane,), present=True),
            strata=record.strata,
        )
