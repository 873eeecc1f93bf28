"""Whether two runs may be compared: the facts in which they must agree."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from m3dbench.runs.folder import RunFolder

TOLD = {
    "manifest": "the samples (hash of the manifest)",
    "requests": "what the requests say (hash)",
    "task_version": "the version of the task",
    "control": "the control",
    "splits": "how the splits were made",
}


@dataclass(frozen=True)
class Comparability:
    """refusal: why two runs of a task may not be compared, empty where they may. allowed: differing fields that
    the user let pass. skipped: ``metric (scoring)`` -> why that metric is left out."""

    refusal: str
    allowed: tuple[str, ...]
    skipped: Mapping[str, str]


def comparability(
    base: RunFolder, candidate: RunFolder, task: str, primary: str, allow: Collection[str]
) -> Comparability:
    """Hold the comparable facts of two runs of a task against each other.

    allow: fields that may differ: ``manifest``, ``requests``, ``task_version``, ``control``, ``splits``, or a metric's
    name for its signature.
    """
    ours, theirs = (run.content()["tasks"].get(task) for run in (base, candidate))
    for run, entry in ((base, ours), (candidate, theirs)):
        if entry is None or entry["status"] != "complete":
            state = "does not have the task" if entry is None else "has not finished the task"
            return Comparability(f"{run.path} {state}", (), {})
    assert ours is not None and theirs is not None  # noqa: S101 - narrows the type
    one, other = ours["facts"]["comparable"], theirs["facts"]["comparable"]
    fields = [name for name in dict.fromkeys([*one, *other]) if name != "scoring"]
    differing = [name for name in fields if one.get(name) != other.get(name)]
    refused = [name for name in differing if name not in allow]
    if refused:
        name = refused[0]
        detail = f": {_short(one.get(name))} and {_short(other.get(name))}"
        others = f" (and in {', '.join(refused[1:])})" if refused[1:] else ""
        options = " ".join(f"--allow {field}" for field in refused)
        return Comparability(
            f"the runs differ in {name}, {TOLD.get(name, name)}{detail}{others}; {options} compares them all the same",
            (),
            {},
        )
    signatures, passed = _signatures(one["scoring"], other["scoring"], allow)
    if f"{primary} (corrected)" in signatures:
        return Comparability(f"{primary}, the primary metric: {signatures[f'{primary} (corrected)']}", (), {})
    return Comparability("", (*differing, *passed), signatures)


def _signatures(
    one: Mapping[str, Any], other: Mapping[str, Any], allow: Collection[str]
) -> tuple[dict[str, str], list[str]]:
    skipped: dict[str, str] = {}
    passed = []
    for scoring in one:
        for metric, signature in one[scoring].items():
            theirs = other.get(scoring, {}).get(metric)
            if theirs == signature:
                continue
            if theirs is None:
                skipped[f"{metric} ({scoring})"] = "the candidate was not scored by it"
            elif metric in allow:
                passed.append(metric)
            else:
                skipped[f"{metric} ({scoring})"] = (
                    f"its signature differs: {signature} and {theirs}; --allow {metric} compares it all the same"
                )
    for scoring in other:
        for metric in sorted(other[scoring].keys() - one.get(scoring, {}).keys()):
            skipped[f"{metric} ({scoring})"] = "the base was not scored by it"
    return skipped, passed


def _short(value: Any) -> str:
    text = str(value)
    return (text if len(text) <= 24 else text[:21] + "...") or "none"
