"""Published numbers: what is shipped is what was collected, and runs stand beside it only where they may."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from m3dbench.registry import available
from m3dbench.report.published.rows import published
from m3dbench.report.published.tables import layouts, table, why_not


def test_every_collected_number_is_shipped_with_its_provenance(shared: Path) -> None:
    collected = json.loads((shared / "reference" / "published.json").read_text())
    ours = Counter(
        (source.source, row.model, row.published_metric, row.subset, row.value, row.provenance)
        for source in published()
        for row in source.rows
    )
    theirs = Counter(
        (row["source"], row["model"], row["metric"], row["split"], row["value"], row["provenance"]) for row in collected
    )
    assert ours == theirs


def test_rows_name_tasks_and_metrics_that_exist() -> None:
    metrics = {name.removeprefix("upstream.") for name in available("metrics")} | {"judge", ""}
    for source in published():
        for row in source.rows:
            assert row.metric in metrics
            if row.metric:
                assert row.task in available("tasks")


def test_the_tables_hold_every_row_that_the_paper_has_in_them() -> None:
    for number in layouts():
        values = Counter(value for line in table(number).lines for value in line.values if value is not None)
        assert values == Counter(row.value for source in published() for row in source.rows if row.table == number)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, ""),
        ({"data": "phantom"}, "phantom"),
        ({"test_set": "test1k"}, "test1k"),
        ({"samples": 1999}, "1,999"),
        ({"control": {"name": "blank"}}, "control"),
        ({"limit": 5}, "first 5"),
        ({"requests": "default"}, "worded by us"),
    ],
)
def test_a_run_is_beside_the_paper_only_under_the_same_protocol(change: dict, why: str) -> None:
    row = next(row for source in published() for row in source.rows if row.table == 3)
    summary = {"data": "unmarked", "test_set": "test", "samples": 2000, "control": None, **change}
    asked = {"limit": change.get("limit"), "requests": change.get("requests", "upstream")}
    found = why_not({"facts": {"resume": asked}}, summary, row)
    assert (why in found) if why else found == ""
