"""Image-text retrieval: an embedding of each volume and each report, ranked against all of the test set (M3D-Cap)."""

from __future__ import annotations

from collections.abc import Iterator

from m3dbench.data.records import ReportRecord
from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.task import Asking, Task

SEARCHES = ("i2t", "t2i")
RECALL = tuple(f"recall@{k}_{search}" for search in SEARCHES for k in (1, 5, 10))
RANK = tuple(f"{name}_{search}" for search in SEARCHES for name in ("mrr", "median_rank"))


class Retrieval(Task[ReportRecord]):
    name = "retrieval"
    title = "Image-text retrieval"
    hub_kind = "feature-extraction"
    version = "1.0"
    answer = "embedding"
    records = (ReportRecord,)
    metrics = {"corrected": (*RECALL, *RANK), "upstream": tuple(f"upstream.{name}" for name in RECALL)}
    primary = "recall@1_i2t"

    def samples(self, record: ReportRecord, ask: Asking) -> Iterator[Sample]:
        yield Sample(
            id=record.id,
            case=record.case,
            volume=record.volume,
            request=Request(kind="match", description=record.text),
            reference=Reference(text=record.text),
            strata=record.strata,
        )
