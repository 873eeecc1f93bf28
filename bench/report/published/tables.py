"""The M3D paper's tables in their own form, with runs beside the published rows."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from m3dbench.errors import UserError
from m3dbench.report.published.rows import Row, published
from m3dbench.runs.folder import RunFolder

MACRO = "(macro)"
MATCHED = ("retrieval", "report_generation")
"""Tasks whose published rows state how many samples there were in our sense."""


@dataclass(frozen=True)
class Line:
    """A model's values in per cent, None where there is none.

    run: ours, not published. not_comparable: why it cannot be read beside the published lines, empty where it can.
    """

    group: str
    model: str
    values: tuple[float | None, ...]
    run: bool = False
    not_comparable: str = ""


@dataclass(frozen=True)
class Table:
    """headings: one a column. down: what the lines' groups are."""

    number: int
    title: str
    down: str
    headings: tuple[str, ...]
    lines: tuple[Line, ...]


def layouts() -> dict[int, dict[str, Any]]:
    """The tables that can be printed, by number."""
    text = (files(__package__) / "tables.toml").read_text(encoding="utf-8")
    return {int(number): layout for number, layout in tomllib.loads(text).items()}


def table(number: int, runs: Sequence[RunFolder] = ()) -> Table:
    """A table of the paper with runs beside it. Raises UserError when there is no such table."""
    known = layouts()
    if number not in known:
        raise UserError(f"there is no table {number}", field="--table", fix=f"one of: {', '.join(map(str, known))}")
    layout = known[number]
    keys, headings = zip(*layout["columns"], strict=True)
    rows = [row for source in published() for row in source.rows if row.table == number]
    lines: list[Line] = []
    for group in dict.fromkeys(_field(row, layout["down"]) for row in rows):
        cells: dict[str, dict[str, Row]] = {}
        for row in rows:
            if _field(row, layout["down"]) == group:
                cells.setdefault(row.model, {})[_field(row, layout["across"])] = row
        likes: dict[str, Row] = {}
        for model, found in cells.items():
            values = tuple(found[key].value if key in found else None for key in keys)
            lines.append(Line(group, model, values))
            likes |= found
        for run in runs:
            lines += _of_run(run, group, [likes.get(key) for key in keys], layout.get("never", ""))
    return Table(number, layout["title"], layout["down"], headings, tuple(lines))


def _field(row: Row, name: str) -> str:
    return next(iter(row.stratum.values()), "") if name == "stratum" else str(getattr(row, name))


def _of_run(run: RunFolder, group: str, likes: Sequence[Row | None], never: str) -> list[Line]:
    """The run's line, if it has any value that the published columns ask for."""
    like = next(row for row in likes if row is not None)
    summary, entry = run.summaries().get(like.task), run.content()["tasks"].get(like.task)
    if summary is None or entry is None:
        return []
    values = tuple(None if row is None else _value(summary, row) for row in likes)
    if all(value is None for value in values):
        return []
    return [Line(group, run.path.resolve().name, values, True, why_not(entry, summary, like) or never)]


def _value(summary: Mapping[str, Any], row: Row) -> float | None:
    """The upstream value that a published row asks for, in per cent."""
    found = next((m for m in summary["metrics"] if m["metric"] == row.metric and m["scoring"] == "upstream"), None)
    if found is None:
        return None
    value = found["micro"]["value"]
    for dimension, name in row.stratum.items():
        macro = found["macro"]
        if name == MACRO:
            value = macro["value"] if macro and macro["dimension"] == dimension else None
        else:
            value = found["strata"].get(dimension, {}).get(name, {}).get("value")
    return None if value is None else 100 * value


def why_not(entry: Mapping[str, Any], summary: Mapping[str, Any], row: Row) -> str:
    """Why a run's task cannot be read beside a published row, the gravest reason first; empty where it can."""
    asked = entry["facts"]["resume"]
    other_size = row.task in MATCHED and row.samples is not None and summary["samples"] != row.samples
    reasons = {
        "made from the phantom": summary["data"] == "phantom",
        "a control, no result": bool(summary.get("control")),
        f"another test set ({summary['test_set']})": bool(row.test_set) and summary["test_set"] != row.test_set,
        f"only the first {asked.get('limit')} samples": bool(asked.get("limit")),
        f"{summary['samples']:,} samples, not {row.samples or 0:,}": other_size,
        "requests worded by us (--requests default)": asked.get("requests") != "upstream",
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
