"""Charts of runs for notebooks: values with their intervals, and differences between two runs.

Every function returns a matplotlib ``Figure`` (a ``Chart``), which notebooks show by itself and ``savefig`` writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from m3dbench import registry
from m3dbench.errors import UserError
from m3dbench.report.chart import (
    BETTER,
    COLOURS,
    FAINT,
    INK,
    MARKERS,
    SAME,
    WORSE,
    Chart,
    empty,
    points,
    rows_named,
    titled,
    within,
)
from m3dbench.report.notebook import Comparison
from m3dbench.report.plotted import (
    Runs,
    difference_of,
    exceeds,
    fractions_of,
    label_of,
    left_out,
    metrics_of,
    named_runs,
    opened_run,
    refuse_unknown,
    summary_of,
    unit_of,
    values_of,
)
from m3dbench.runs.load import Run
from m3dbench.task import Scoring


def plot_scores(
    runs: Runs | Sequence[Runs] | Mapping[str, Runs],
    task: str,
    metrics: Sequence[str] | None = None,
    *,
    scoring: Scoring = "corrected",
) -> Chart:
    """Values of a task's metrics with 95% intervals over cases, one colour and marker a run.

    runs: a run, several, or name -> run; the folders give the names otherwise. metrics: if omitted all fractions that
    lie within 100%, the primary one on top; the axis names those beyond. Raises UserError where a run has not the task,
    or no such metric.
    """
    named = named_runs(runs)
    found = {name: values_of(run, task, scoring) for name, run in named.items()}
    first = next(iter(named.values()))
    chosen = list(metrics) if metrics is not None else fractions_of(first, task, scoring)
    free = metrics is None
    beyond = [name for name in chosen if free and any(exceeds(values.get(name)) for values in found.values())]
    chosen = [name for name in chosen if name not in beyond]
    refuse_unknown(chosen, [value for values in found.values() for value in values], task)
    units = {unit_of(first, task, scoring, name) for name in chosen}
    if len(units) > 1:
        raise UserError(
            f"{', '.join(chosen)} have different units", field="metrics", fix="plot metrics of one unit at a time"
        )
    scale = 100.0 if units == {"fraction"} else 1.0
    figure, axes = empty(len(chosen) * max(1.0, 0.55 * len(named)), legend=len(named))
    step = 0.7 / max(1, len(named))
    for place, (name, values) in enumerate(found.items()):
        shift = (place - (len(named) - 1) / 2) * step
        rows = [(row + shift, values[metric]) for row, metric in enumerate(chosen) if metric in values]
        points(axes, rows, scale, COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)], name)
    rows_named(axes, [label_of(name, first, task, scoring) for name in chosen])
    axes.set_xlabel(("per cent" if scale == 100.0 else units.pop()) + left_out(beyond))
    within(axes, scale)
    _title(figure, first, task, f"{scoring} scoring")
    if len(named) > 1:
        figure.legend(loc="outside lower center", ncols=min(4, len(named)), frameon=False)
    return figure


def plot_strata(
    run: Runs, task: str, metric: str | None = None, dimension: str | None = None, *, scoring: Scoring = "corrected"
) -> Chart:
    """A metric on each stratum of a dimension, best first, with the value over all samples as a line.

    metric: the primary one if omitted. dimension: that of the macro average if omitted. Raises UserError where there is
    no such task, metric or dimension.
    """
    opened = opened_run(run)
    metric = metric or str(registry.create("tasks", task).primary)
    summary = summary_of(opened, task)
    item = next((one for one in summary["metrics"] if (one["metric"], one["scoring"]) == (metric, scoring)), None)
    if item is None:
        refuse_unknown([metric], [one["metric"] for one in summary["metrics"] if one["scoring"] == scoring], task)
        raise AssertionError  # pragma: no cover
    dimension = dimension or (item["macro"] or {}).get("dimension") or next(iter(item["strata"]), "")
    if dimension not in item["strata"]:
        there = ", ".join(item["strata"]) or "none"
        raise UserError(f"{task} has no strata named {dimension!r}", field="dimension", fix=f"there are: {there}")
    cells = {name: cell for name, cell in item["strata"][dimension].items() if cell["value"] is not None}
    sign = 1 if item["direction"] == "higher" else -1
    order = sorted(cells, key=lambda name: (-sign * cells[name]["value"], name))
    scale = 100.0 if unit_of(opened, task, scoring, metric) == "fraction" else 1.0
    figure, axes = empty(max(2, len(order)))
    overall = item["micro"]
    if overall["value"] is not None:
        axes.axvline(scale * overall["value"], color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        if overall["interval"]:
            low, high = overall["interval"]["low"], overall["interval"]["high"]
            axes.axvspan(scale * low, scale * high, color=FAINT, alpha=0.6, linewidth=0, zorder=0)
    points(axes, [(row, cells[name]) for row, name in enumerate(order)], scale, COLOURS[0], MARKERS[0], metric)
    rows_named(axes, [f"{name}  (n={cells[name]['n_planned']:,})" for name in order])
    unit = "per cent" if scale == 100.0 else unit_of(opened, task, scoring, metric)
    axes.set_xlabel(f"{label_of(metric, opened, task, scoring)}, {unit}; dashed: all samples")
    within(axes, scale)
    _title(figure, opened, task, f"{opened.path.resolve().name} by {dimension.replace('_', ' ')}")
    return figure


def plot_comparison(
    comparison: Comparison,
    task: str | None = None,
    metrics: Sequence[str] | None = None,
    *,
    scoring: Scoring = "corrected",
) -> Chart:
    """Differences candidate less base of a task's metrics that are fractions, with their intervals around zero.

    Blue: the candidate is significantly better (sign-flip test, two-sided, 5%), orange: worse, grey: not told apart.
    task: the first that was compared. metrics: if omitted all fractions whose difference lies within 100 points; the
    axis names those beyond. Raises UserError where the runs cannot be compared, or no such metric was.
    """
    found = comparison.task(task)
    if found.not_comparable:
        raise UserError(f"{found.task} cannot be compared: {found.not_comparable}")
    units = {key: metric.unit for key, metric in metrics_of(found.task, found.metrics).items()}
    shown = [
        item
        for item in found.metrics
        if item.scoring == scoring
        and item.difference is not None
        and units.get((item.scoring, item.metric), "fraction") == "fraction"
    ]
    refuse_unknown(metrics or (), [item.metric for item in shown], found.task)
    beyond = [item.metric for item in shown if metrics is None and exceeds(difference_of(item))]
    shown = [item for item in shown if item.metric in (metrics or {item.metric}) and item.metric not in beyond]
    figure, axes = empty(max(2, len(shown)), legend=2)
    axes.axvline(0, color=INK, linewidth=1, zorder=1)
    for row, item in enumerate(shown):
        told = item.p_two_sided is not None and item.p_two_sided <= 0.05
        colour = SAME if not told else WORSE if item.worse else BETTER
        marker = "o" if not told else "v" if item.worse else "^"
        points(axes, [(row, difference_of(item))], 100.0, colour, marker, "")
    rows_named(axes, [item.metric + (" ↓" if item.direction == "lower" else "") for item in shown])
    limit = max((abs(value) for value in axes.get_xlim()), default=1.0)
    axes.set_xlim(-limit, limit)
    axes.set_xlabel(
        f"{comparison.result.candidate} less {comparison.result.base}, percentage points" + left_out(beyond)
    )
    size = f"{found.metrics[0].n_samples:,} samples, {found.metrics[0].n_cases:,} cases" if found.metrics else ""
    titled(figure, f"{found.task}: difference, paired by sample", size)
    for marker, colour, label in (("^", BETTER, "better"), ("v", WORSE, "worse"), ("o", SAME, "not told apart")):
        axes.plot([], [], marker=marker, color=colour, linestyle="", label=label)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def _title(figure: Chart, run: Run, task: str, told: str) -> None:
    summary = summary_of(run, task)
    drawn = ", drawn data" if summary["data"] == "phantom" else ""
    size = f"{summary['samples']:,} samples, {summary['cases']:,} cases{drawn}"
    titled(figure, f"{summary['title']}: {told}", size)
