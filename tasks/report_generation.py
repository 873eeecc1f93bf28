"""Report generation: write the report of a volume (M3D-Cap)."""

from __future__ import annotations

from collections.abc import Iterator

from m3dbench.data.records import ReportRecord
from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.task import Asking, Task
from m3dbench.tasks.text import TEXT_METRICS
from m3dbench.wording import Slot

REPORT = Slot(
    "Caption_templates",
    0,
    (
        "Write the findings of this scan as a radiology report.",
        "Describe what this scan shows, as a radiologist would report it.",
        "Report the findings in this volume.",
    ),
)


class ReportGeneration(Task[ReportRecord]):
    name = "report_generation"
    title = "Report generation"
    hub_kind = "image-to-text"
    version = "1.0"
    answer = "text"
    records = (ReportRecord,)
    metrics = TEXT_METRICS
    primary = "rougeL"
    slots = (REPORT,)

    def samples(self, record: ReportRecord, ask: Asking) -> Iterator[Sample]:
        yield Sample(
            id=record.id,
            case=record.case,
            volume=record.volume,
            request=Request(kind="report", wording=ask.wording(record.id, REPORT)),
            reference=Reference(text=record.text),
            strata=record.strata,
        )
