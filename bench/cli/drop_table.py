"""What a control costs, as columns of a terminal table."""

from __future__ import annotations

from m3dbench.runs.summary import Drop, TaskSummary
from m3dbench.stats.intervals import MINIMUM_CASES

UNDEFINED = "–"


def drop_columns(summary: TaskSummary) -> dict[str, list[str]]:
    """Per metric the plain value, the value under the control and their difference with its interval.

    The corrected scoring where the run has it; the other is in ``summary.json``. Empty without drops.
    """
    control = summary.control
    if control is None or not control.drops:
        return {}
    shown = [drop for drop in control.drops if drop.scoring == "corrected"] or list(control.drops)
    lower = {item.metric for item in summary.metrics if item.direction == "lower"}
    names = [drop.metric + (" ↓" if drop.metric in lower else "") for drop in shown]
    return {
        "metric": [
            f"[bold]{name}[/]" if drop.metric == summary.primary else name
            for drop, name in zip(shown, names, strict=True)
        ],
        "plain": [_number(drop.plain) for drop in shown],
        control.name: [_number(drop.control) for drop in shown],
        "drop": [_number(drop.drop, signed=True) for drop in shown],
        "95% interval": [_interval(drop) for drop in shown],
        "n": [f"{drop.n_samples:,}" for drop in shown],
        "cases": [f"{drop.n_cases:,}" for drop in shown],
    }


def drop_notes(summary: TaskSummary) -> list[str]:
    """What the primary metric's drop says, and what the numbers are not."""
    control = summary.control
    if control is None:
        return []
    notes = [f"Control {control.name}: no result of the model, and never ranked."]
    primary = [drop for drop in control.drops if drop.metric == summary.primary and drop.scoring == "corrected"]
    for drop in primary:
        if drop.interval is None:
            told = f"under {MINIMUM_CASES} cases, no interval" if drop.n_cases < MINIMUM_CASES else "no interval"
            notes.append(f"{drop.metric} drops by {_number(drop.drop)} ({told}).")
        elif drop.interval.low > 0:
            notes.append(f"{drop.metric} falls under the control: {_number(drop.drop)} ({_interval(drop)}).")
        elif drop.drop == 0 and drop.plain == drop.control:
            notes.append(f"{drop.metric} does not move under the control.")
        else:
            notes.append(f"No fall of {drop.metric} is shown: the interval of its drop holds 0.")
    return notes


def _number(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return UNDEFINED
    return f"{value + 0.0:{'+' if signed and round(value, 3) else ''}.3f}"


def _interval(drop: Drop) -> str:
    found = drop.interval
    return UNDEFINED if found is None else f"{found.low:.3f} to {found.high:.3f}"
