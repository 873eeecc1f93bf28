"""Summaries as terminal tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from m3dbench.cli.console import out
from m3dbench.cli.drop_table import UNDEFINED, drop_columns, drop_notes
from m3dbench.cli.judge_notes import judge_notes
from m3dbench.data.strata import UNLISTED
from m3dbench.runs.summary import Macro, MetricSummary, TaskSummary, Value, worst_strata
from m3dbench.stats.intervals import Interval
from m3dbench.task import SCORINGS, Scoring

LESS_NEEDED = ("macro", "blind", "chance", "upstream")
"""Columns that a narrow terminal loses first; values, intervals and counts always stay."""
WORST = 5
REASONS = 3
Found = Mapping[tuple[str, Scoring], MetricSummary]


def show_summary(summaries: Sequence[TaskSummary], blind: Mapping[str, Mapping[str, Any]]) -> None:
    """One table a task: corrected and upstream values side by side, intervals, denominators, chance and blind."""
    for summary in summaries:
        where = escape(f"{summary.model} on {summary.data} {summary.test_set}")
        size = f"{summary.samples:,} samples, {summary.cases:,} cases"
        shown = f"  ·  [bold]control: {escape(summary.control.name)}[/]" if summary.control else ""
        out.print(f"[bold]{escape(summary.title)}[/]  {where}  ·  {size}{shown}", highlight=False, soft_wrap=True)
        table, left_out = _table(summary, blind.get(summary.task))
        out.print(table)
        if worst := _worst(summary):
            out.print(worst)
        narrow = [f"No room here for: {', '.join(left_out)} (see summary.json)."] if left_out else []
        if any(item.spread for item in summary.metrics):
            out.print(_spread(summary))
        for dimension in summary.apart:
            out.print(_apart(summary, dimension))
        for note in _notes(summary) + narrow:
            out.print(f"  {escape(note)}", style="dim", highlight=False, soft_wrap=True)
        out.print()


def _table(summary: TaskSummary, blind: Mapping[str, Any] | None) -> tuple[Table, list[str]]:
    """The table, and the names of the columns that a narrow terminal has no room for."""
    columns = drop_columns(summary) or _columns(summary, blind)
    told = {
        title: cells
        for title, cells in columns.items()
        if title == "metric" or any(cell not in (UNDEFINED, "0") for cell in cells)
    }
    left_out: list[str] = []
    table = laid_out(told)
    for title in LESS_NEEDED:
        if title in told and _width(table) > out.width:
            left_out.append(title)
            del told[title]
            table = laid_out(told)
    return table, left_out


def _columns(summary: TaskSummary, blind: Mapping[str, Any] | None) -> dict[str, list[str]]:
    names = list(dict.fromkeys(item.metric for item in summary.metrics))
    found = {(item.metric, item.scoring): item for item in summary.metrics}
    return {
        "metric": [_name(name, summary.primary, found) for name in names],
        "corrected": [_value(found.get((name, "corrected"))) for name in names],
        "95% interval": [_interval(_micro(found.get((name, "corrected")))) for name in names],
        "macro": [_macro(found.get((name, "corrected"))) for name in names],
        "upstream": [_value(found.get((name, "upstream"))) for name in names],
        "chance": [_chance(found.get((name, "corrected"))) for name in names],
        "blind": [_of_blind(blind, name) for name in names],
        "scored/n": [_counts(found.get((name, "corrected")) or found.get((name, "upstream"))) for name in names],
        "failed": [_count(found, name, "n_failed") for name in names],
        "unscored": [_count(found, name, "n_unscored") for name in names],
    }


def laid_out(columns: Mapping[str, list[str]]) -> Table:
    """Title -> cells as a table, the first column to the left and the others to the right."""
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, title in enumerate(columns):
        table.add_column(title, justify="right" if place else "left", no_wrap=True)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table


def _width(table: Table) -> int:
    return out.measure(table, options=out.options.update(max_width=1000)).maximum


def _spread(summary: TaskSummary) -> Table:
    """How far each value moves with the wording."""
    found = [(item, item.spread) for item in summary.metrics if item.spread is not None]
    table = laid_out(
        {
            "metric": [f"{item.metric} (upstream)" if item.scoring == "upstream" else item.metric for item, _ in found],
            "lowest": [_number(spread.minimum) for _, spread in found],
            "highest": [_number(spread.maximum) for _, spread in found],
            "SD": [_number(spread.sd) for _, spread in found],
        }
    )
    table.title = f"over {max(len(spread.values) for _, spread in found)} wordings"
    return table


def _apart(summary: TaskSummary, dimension: str) -> Table:
    """Every metric on each stratum of a dimension, side by side; both scorings where the run has both."""
    found = [item for item in summary.metrics if item.strata.get(dimension)]
    names = sorted({name for item in found for name in item.strata[dimension]})
    columns = {"metric": [f"{item.metric} (upstream)" if item.scoring == "upstream" else item.metric for item in found]}
    for name in names:
        cells = [item.strata[dimension].get(name) for item in found]
        columns[name] = [_number(cell.value if cell else None) for cell in cells]
        columns[f"95% interval, {name}"] = [_interval(cell) for cell in cells]
        columns[f"n {name}"] = [f"{cell.n_planned:,}" if cell else "0" for cell in cells]
    for name in names:
        if _width(laid_out(columns)) > out.width:
            del columns[f"95% interval, {name}"]
    table = laid_out({escape(title): cells for title, cells in columns.items()})
    table.title = escape(f"apart by {dimension}")
    return table


def _worst(summary: TaskSummary) -> Table | None:
    """The worst strata of the macro dimension by the primary metric; None where it has no more than these."""
    item = summary.metric(summary.primary) or summary.metric(summary.primary, "upstream")
    if item is None or item.macro is None or item.macro.strata <= WORST:
        return None
    dimension = item.macro.dimension
    found = worst_strata(item, dimension, WORST)
    table = laid_out(
        {
            "metric": [escape(name) for name, _ in found],
            item.metric: [_number(value.value) for _, value in found],
            "95% interval": [_interval(value) for _, value in found],
            "scored/n": [f"{value.n_scored:,}/{value.n_planned:,}" for _, value in found],
        }
    )
    table.columns[0].header = f"worst by {dimension}"
    return table


def _notes(summary: TaskSummary) -> list[str]:
    notes = drop_notes(summary)
    if summary.data == "phantom":
        notes.append("Embedded phantom data: for trying things out, not for a leaderboard.")
    for how in dict.fromkeys(summary.splits.values()):
        notes.append(f"Split of {', '.join(part for part, said in summary.splits.items() if said == how)}: {how}.")
    if summary.role == "oracle":
        notes.append("This model reads the references: values are the metrics' ceilings.")
    for judge in summary.judges:
        notes += judge_notes(judge)
    bad = {name: count for name, count in summary.predictions.items() if name != "ok" and count}
    if bad:
        notes.append(
            "Predictions: " + ", ".join(f"{count} {name}" for name, count in bad.items()) + " (each counts as worst)."
        )
    reasons = sorted(summary.prediction_reasons.items(), key=lambda item: -item[1])
    notes += [f"  {count:,}: {reason}" for reason, count in reasons[:REASONS]]
    if len(reasons) > REASONS:
        notes.append(f"  ... and {len(reasons) - REASONS:,} other reasons (predictions.jsonl)")
    notes += [f"{note}: {count:,} of {summary.samples:,} answers." for note, count in summary.notes.items()]
    ids = {name: count for name, count in summary.ids.items() if count}
    if ids:
        notes.append("Ids: " + ", ".join(f"{count} {name}" for name, count in ids.items()) + ".")
    unlisted = {
        dimension: cell.n_planned
        for item in summary.metrics
        for dimension in summary.apart
        if (cell := item.strata.get(dimension, {}).get(UNLISTED)) is not None
    }
    notes += [
        f"{number:,} samples are not in the stratum file ({name}: {UNLISTED})." for name, number in unlisted.items()
    ]
    if any(item.scoring == "corrected" for item in summary.metrics):
        notes += [
            f"Repaired in the data: {count}: {reason}." for reason, count in list(summary.repaired.items())[:WORST]
        ]
        if len(summary.repaired) > WORST:
            notes.append(f"And {len(summary.repaired) - WORST} more repairs (see summary.json).")
        notes += [f"Excluded from corrected scoring: {count}: {reason}." for reason, count in summary.excluded.items()]
    unscored: dict[tuple[str, int], list[str]] = {}
    for (name, reason), count in _unscored(summary).items():
        unscored.setdefault((reason, count), []).append(name)
    notes += [f"{', '.join(names)}: {count:,} unscored: {reason}" for (reason, count), names in unscored.items()]
    for item in summary.metrics:
        if item.quirks and summary.role == "oracle":
            told = ", ".join(f"{quirk} on {count}" for quirk, count in item.quirks.items())
            notes.append(f"{item.metric} (upstream) is held down by quirks of the reference scripts: {told}.")
    if (
        any(item.micro.interval is None and item.micro.value is not None for item in summary.metrics)
        and summary.cases < 10
    ):
        notes.append("No intervals under 10 cases.")
    return notes


def _unscored(summary: TaskSummary) -> dict[tuple[str, str], int]:
    """(metric, reason) -> count, told once where both scorings agree."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for item in summary.metrics:
        for reason, count in item.unscored_reasons.items():
            found.setdefault((item.metric, reason), {})[item.scoring] = count
    told = {}
    for (metric, reason), counts in found.items():
        both = len(set(counts.values())) == 1 and len(counts) == len(SCORINGS)
        for scoring, count in counts.items():
            told[metric if both or scoring == "corrected" else f"{metric} (upstream)", reason] = count
    return told


def _name(name: str, primary: str, found: Found) -> str:
    item = found.get((name, "corrected")) or found[(name, "upstream")]
    arrow = " ↓" if item.direction == "lower" else ""
    return f"[bold]{name}[/]{arrow}" if name == primary else f"{name}{arrow}"


def _micro(item: MetricSummary | None) -> Value | None:
    return None if item is None else item.micro


def _number(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.3f}"


def _value(item: MetricSummary | None) -> str:
    return _number(None if item is None else item.micro.value)


def _interval(value: Value | Macro | None) -> str:
    found: Interval | None = None if value is None else value.interval
    return (
        UNDEFINED
        if found is None
        else f"{found.low:.3f}–{found.high:.3f}"
        if found.low >= 0
        else f"{found.low:.3f} to {found.high:.3f}"
    )


def _macro(item: MetricSummary | None) -> str:
    return _number(item.macro.value) if item is not None and item.macro is not None else UNDEFINED


def _chance(item: MetricSummary | None) -> str:
    return _number(None if item is None else item.micro.chance)


def _of_blind(blind: Mapping[str, Any] | None, name: str) -> str:
    if blind is None:
        return UNDEFINED
    match = [item for item in blind["metrics"] if item["metric"] == name and item["scoring"] == "corrected"]
    return _number(match[0]["micro"]["value"]) if match else UNDEFINED


def _counts(item: MetricSummary | None) -> str:
    return UNDEFINED if item is None else f"{item.micro.n_scored:,}/{item.micro.n_planned:,}"


def _count(found: Found, name: str, field: str) -> str:
    """The count under both scorings, once where they agree: ``3``, or ``0 | 3`` for corrected | upstream."""
    counts = [
        getattr(found[(name, scoring)].micro, field)
        for scoring in ("corrected", "upstream")
        if (name, scoring) in found
    ]
    return str(counts[0]) if len(set(counts)) == 1 else " | ".join(map(str, counts))
