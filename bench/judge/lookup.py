"""The metrics of a judge over its journal."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from m3dbench.judge.folder import Record
from m3dbench.judge.prompt import note_of
from m3dbench.metrics.core import Metric
from m3dbench.metrics.judge import Judged, Scale, judge_metrics
from m3dbench.metrics.pairs import JudgedPair
from m3dbench.runs.journal import Rows
from m3dbench.task import Scoring
from m3dbench.upstream.judge_prompt import upstream_score

NOT_JUDGED = "not judged yet"
NO_DECIMAL, FIRST_MATCH = "Q-LLM-1", "Q-LLM-2"
NA = "NA: no number with a decimal point after 'Score: '"


def metrics_of(record: Record, rows: Rows) -> dict[Scoring, list[Metric]]:
    """Metrics by scoring; ``upstream`` only where the rubric is the reference's own."""
    rubric, signature = record.rubric, record.judge.signature(record.rubric)

    def metrics(lookup: Callable[[JudgedPair], Judged], scale: Scale, told: str) -> list[Metric]:
        return judge_metrics(rubric.metric, rubric.kind, scale, lookup, told)

    def row_of(pair: JudgedPair) -> dict[str, Any] | None:
        return rows.get(record.judge.key(rubric, pair))

    def corrected(pair: JudgedPair) -> Judged:
        row = row_of(pair)
        if row is None:
            return Judged(reason=NOT_JUDGED)
        if row["status"] == "unscored":
            return Judged(reason=f"{row['failure']}: {row['reason']}")
        return Judged(row["verdict"], note=note_of(rubric, pair, record.judge.asking))

    def upstream(pair: JudgedPair) -> Judged:
        row = row_of(pair)
        if row is None:
            return Judged(reason=NOT_JUDGED)
        ours = row["verdict"]["score"] if row["status"] == "scored" else None
        if not row["replies"]:
            return Judged(reason=f"{row['failure']}: {row['reason']}")
        theirs = upstream_score(row["replies"][0]["text"])
        if theirs is None or not math.isfinite(theirs):
            return Judged(reason=NA, quirk=NO_DECIMAL if ours is not None else "")
        return Judged({"score": theirs}, quirk="" if theirs == ours else FIRST_MATCH)

    found: dict[Scoring, list[Metric]] = {"corrected": metrics(corrected, rubric.scale, signature)}
    if rubric.verbatim:
        found["upstream"] = metrics(upstream, Scale(), f"{signature}|read:first decimal, no range")
    return found
