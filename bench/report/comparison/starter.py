"""A gate file to start from, made from a base run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from m3dbench.errors import ExitCode, UserError
from m3dbench.runs.folder import RunFolder

SMALLEST = 0.02
HEAD = """\
# A gate made from the run {run}; edit it to your needs (docs/gate.md).
# margin: how much worse a release may be; here half the width of the base's 95% interval, at least {smallest:g}
# floor: the worst value that a release may have; here the far end of the base's interval
alpha = 0.05
"""


def starter(run: RunFolder, summaries: Mapping[str, Mapping[str, Any]]) -> str:
    """The TOML text of a gate on the primary metric of every finished task of a run, such that the run passes.

    A comment names the tasks that it leaves out. Raises UserError when no task has a value to gate.
    """
    blocks, left_out = [], []
    for task in run.tasks():
        if task not in summaries:
            left_out.append(f"{task}: not finished in this run")
        elif block := _task(task, summaries[task]):
            blocks.append(block)
        else:
            left_out.append(f"{task}: {summaries[task]['primary']}, its primary metric, has no value in this run")
    if not blocks:
        detail = f" ({'; '.join(left_out)})" if left_out else ""
        raise UserError(
            f"no task of the run has a value to gate{detail}", file=run.path, code=ExitCode.NOTHING_TO_SCORE
        )
    notes = "".join(f"# left out: {note}\n" for note in left_out)
    return HEAD.format(run=run.path.resolve().name, smallest=SMALLEST) + notes + "".join(blocks)


def _task(task: str, summary: Mapping[str, Any]) -> str:
    found = next(
        (
            item
            for item in summary["metrics"]
            if item["metric"] == summary["primary"] and item["scoring"] == "corrected"
        ),
        None,
    )
    if found is None or found["micro"]["value"] is None:
        return ""
    span, higher = found["micro"]["interval"], found["direction"] == "higher"
    margin, floor = SMALLEST, ""
    if span is not None and math.isfinite(span["low"]) and math.isfinite(span["high"]):
        margin = max(SMALLEST, math.ceil(500 * (span["high"] - span["low"])) / 1000)
        end = math.floor(1000 * span["low"]) / 1000 if higher else math.ceil(1000 * span["high"]) / 1000
        floor = f"floor = {end:g}\n"
    failed = sum(summary["predictions"].get(name, 0) for name in ("error", "refused", "missing"))
    rates = f"max_error_rate = {_share(failed, summary['samples']):g}\n"
    unscored = _share(found["micro"]["n_unscored"], found["micro"]["n_planned"])
    if unscored:
        # Either run may lack other samples' scores than the other.
        rates += f"max_unscored_rate = {unscored:g}\nmin_coverage = {max(0.0, 1 - 2 * unscored):g}\n"
    head = f'\n[tasks.{task}]\n{rates}[tasks.{task}.metrics."{found["metric"]}"]\n'
    return f"{head}margin = {margin:g}\n{floor}"


def _share(part: int, whole: int) -> float:
    """Rounded up to a thousandth."""
    return math.ceil(1000 * part / whole) / 1000 if whole else 0.0
