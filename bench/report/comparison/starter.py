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
    """The TOML text of a gate on the primary metric of every task of a finished run.

    Raises UserError when no task has a value to gate.
    """
    blocks = [block for task, summary in summaries.items() if (block := _task(task, summary))]
    if not blocks:
        raise UserError("no task of the run has a value to gate", file=run.path, code=ExitCode.NOTHING_TO_SCORE)
    return HEAD.format(run=run.path.name, smallest=SMALLEST) + "".join(blocks)


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
    rate = math.ceil(1000 * failed / summary["samples"]) / 1000 if summary["samples"] else 0
    head = f'\n[tasks.{task}]\nmax_error_rate = {rate:g}\n[tasks.{task}.metrics."{found["metric"]}"]\n'
    return f"{head}margin = {margin:g}\n{floor}"
