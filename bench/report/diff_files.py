"""The disagreements of a run as JSON and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from m3dbench.report.diff import Disagreement, TaskDiff, Total
from m3dbench.report.quirks import quirk

SCHEMA = 1


def to_json(run: str, diffs: Sequence[TaskDiff]) -> dict[str, Any]:
    """Everything: per task the counts, the totals per metric and quirk, and every item."""
    return {
        "schema": SCHEMA,
        "run": run,
        "quirks": {
            name: {"title": quirk(name).title, "effect": quirk(name).effect}
            for name in sorted({item.quirk for diff in diffs for item in diff.items})
        },
        "tasks": {
            diff.task: {
                "compared": diff.compared,
                "totals": [_total(total) for total in diff.totals()],
                "not_shown_by_items": [item.id for item in diff.hidden],
                "items": [{**asdict(item), "change": item.change} for item in diff.items],
            }
            for diff in diffs
        },
    }


def _total(total: Total) -> dict[str, Any]:
    return {
        "metric": total.metric,
        "quirk": total.quirk,
        "items": total.items,
        "mean_change": total.mean_change,
        "transitions": dict(sorted(total.transitions.items())),
    }


def to_markdown(run: str, diffs: Sequence[TaskDiff], limit: int) -> str:
    """Totals, at most ``limit`` items of each, and what the quirks do."""
    lines = [f"# Where corrected and upstream scoring disagree: {run}", ""]
    for diff in diffs:
        lines += [f"## {diff.title}", "", headline(diff), ""]
        totals = diff.totals()
        if totals:
            rows = [[t.metric, t.quirk, quirk(t.quirk).title, *measures(t, diff.compared)] for t in totals]
            lines += _table(["metric", "quirk", "", "items", "mean change", "status"], rows)
        for total in totals if limit else ():
            chosen = diff.of(total)[:limit]
            lines += [f"{total.metric}, {total.quirk}: {len(chosen)} of {total.items} items", ""]
            cells = [
                [item.id, *values(item), shorten(item.prediction, 120), shorten(item.reference, 120)] for item in chosen
            ]
            lines += _table(["id", "corrected", "upstream", "answer", "reference"], cells)
    lines += ["## What the quirks do", ""]
    named = sorted({item.quirk for diff in diffs for item in diff.items})
    lines += [f"* **{quirk(name).title}** ({name}). {quirk(name).effect}" for name in named]
    hidden = {item.id: item for diff in diffs for item in diff.hidden}
    if hidden:
        lines += ["", "No single item shows these:", ""]
        lines += [f"* **{item.title}** ({name}). {item.effect}" for name, item in sorted(hidden.items())]
    return "\n".join(lines) + "\n"


def headline(diff: TaskDiff) -> str:
    """How many items disagree, in one sentence."""
    disagreeing = len({item.id for item in diff.items})
    samples = max(diff.compared.values(), default=0)
    unexplained = sum(item.quirk == "unexplained" for item in diff.items)
    told = f"{disagreeing:,} of {samples:,} samples are judged differently by at least one metric"
    return f"{told}; {unexplained:,} disagreements have no named cause." if unexplained else f"{told}."


def measures(total: Total, compared: Mapping[str, int]) -> list[str]:
    """Items of how many, mean change, status changes."""
    change = "–" if total.mean_change is None else f"{total.mean_change:+.4f}"
    told = ", ".join(f"{count} {name}".replace("_", " ") for name, count in sorted(total.transitions.items()))
    return [f"{total.items:,} of {compared[total.metric]:,}", change, told]


def values(item: Disagreement) -> list[str]:
    """Both verdicts, as short texts."""
    return [
        (f"{verdict.value:.4f}" if verdict.value is not None else verdict.status.replace("_", " "))
        + (" (failed)" if verdict.status == "failed" else "")
        for verdict in (item.corrected, item.upstream)
    ]


def shorten(text: str, length: int) -> str:
    """One line of at most ``length`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [[cell.replace("|", "\\|").replace("<", "&lt;") for cell in row] for row in rows]
    ruled = [list(header), ["---"] * len(header), *cells]
    return [*("| " + " | ".join(row) + " |" for row in ruled), ""]
