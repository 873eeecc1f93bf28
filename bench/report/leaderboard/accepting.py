"""What a board does not accept: said of a run that is added, and of a submission that is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from m3dbench.report.leaderboard.folder import Rules

DRAWN = {
    "phantom": "its data is the phantom, drawn from a seed",
    "file": "its references come from the file of answers itself",
}
REAL = "run or score it on real data (--data DIR, no --limit), or add it to a demonstration board: --demo"


@dataclass(frozen=True)
class Refusal:
    """Why a task of a run is not accepted, in which field, and what helps."""

    why: str
    field: str
    fix: str


def refusal(task: str, facts: Mapping[str, Any], summary: Mapping[str, Any], rules: Rules) -> Refusal | None:
    """Why a board of these rules does not accept a finished task, None where it does.

    facts, summary: plain values, as ``run.json`` and ``summary.json`` hold them.
    """
    if facts["comparable"].get("control") or summary.get("control"):
        return Refusal(f"{task} is a control, no result of the model", "control", "submit the plain run")
    limit = facts["resume"].get("limit")
    if not rules.demonstration and (summary["data"] in DRAWN or limit):
        why = DRAWN.get(summary["data"]) or f"it holds only the first {limit} samples"
        field = "data" if summary["data"] in DRAWN else "limit"
        return Refusal(f"{task} is no result for a leaderboard: {why}", field, REAL)
    counts = summary["predictions"]
    errors = counts.get("error", 0) + counts.get("missing", 0)
    if errors > rules.max_error_rate * summary["samples"]:
        told = f"{errors:,} of {summary['samples']:,} samples of {task} have no answer"
        why = f"{told}, more than the board accepts ({rules.max_error_rate:.1%})"
        return Refusal(why, "predictions", "m3dbench run ... --retry-errors asks them again")
    for judge in summary.get("judges", ()):
        if not judge["publishable"] or judge["unscored_rate"] > rules.max_unscored_rate:
            told = f"{judge['model']} left {judge['unscored']:,} answers of {task} ({judge['unscored_rate']:.1%})"
            why = f"{told} without a score: {judge['metric']} is not to be published"
            return Refusal(why, "judges", "m3dbench judge RUN --retry-unscored asks again")
    return None
