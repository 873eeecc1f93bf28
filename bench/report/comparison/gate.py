"""A gate: rules held against a comparison, with a verdict.

Per metric: *pass* when the candidate is not worse than the base by more than the margin (the lower limit of the paired
difference's one-sided interval, each metric at ``alpha``: all have to pass, so no correction is due);
*regression* when it is not, and is significantly worse (case-level sign-flip test, Holm over all claims of the
gate); *inconclusive* else. Without a margin, *regression* by the test, else *pass*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from m3dbench.report.comparison.result import Check, Paired, RunComparison, TaskComparison, Verdict, worst
from m3dbench.report.comparison.rules import GateRules, MetricRules, TaskRules
from m3dbench.stats.multiplicity import holm

Summaries = Mapping[str, Mapping[str, Any]]
Claim = tuple[str, str]
NO_SEG = "no [SEG]"
"""The note of a segmentation answer without a mask token."""


def level(rules: GateRules) -> float:
    """The two-sided level whose lower limit is one-sided at ``alpha``."""
    return 1 - 2 * rules.alpha


def judge(compared: Sequence[RunComparison], rules: GateRules, summaries: Sequence[Summaries]) -> list[RunComparison]:
    """Each comparison with its checks and verdict. summaries: each candidate's ``summary.json``, its tasks.

    Holm runs over the regression claims of all candidates together.
    """
    claims = [
        (place, (task, metric), paired.p_worse)
        for place, run in enumerate(compared)
        for task, rule in rules.tasks.items()
        for metric in rule.metrics
        if (paired := _metric(run, task, metric)) is not None and paired.p_worse is not None
    ]
    adjusted = {(place, claim): p for (place, claim, _), p in zip(claims, holm([p for *_, p in claims]), strict=True)}
    judged = []
    for place, (run, tasks) in enumerate(zip(compared, summaries, strict=True)):
        checks: list[Check] = []
        for task, rule in rules.tasks.items():
            found = next((item for item in run.tasks if item.task == task), None)
            if found is None or found.not_comparable:
                why = "neither run has the task" if found is None else found.not_comparable
                checks.append(Check(task, "comparable", "not comparable", "no", "yes", why))
                continue
            for metric, limits in rule.metrics.items():
                p = adjusted.get((place, (task, metric)))
                checks += _metric_checks(found, metric, limits, p, rules.alpha)
            checks += _rate_checks(found, rule, tasks.get(task, {}))
        judged.append(replace(run, checks=tuple(checks), verdict=worst([check.verdict for check in checks])))
    return judged


def _metric(run: RunComparison, task: str, metric: str) -> Paired | None:
    found = next((item for item in run.tasks if item.task == task), None)
    return None if found is None else found.metric(metric)


def _metric_checks(task: TaskComparison, name: str, limits: MetricRules, p: float | None, alpha: float) -> list[Check]:
    found = task.metric(name)
    if found is None or found.candidate is None or found.difference is None or p is None:
        known = ", ".join(item.metric for item in task.metrics if item.scoring == "corrected")
        unknown = f"the runs have no such metric; they have: {known}"
        why = task.skipped.get(
            f"{name} (corrected)", unknown if found is None else "no sample has a value in both runs"
        )
        return [Check(task.task, name, "not comparable", "no value", "a value in both runs", why)]
    checks = [_difference_check(task, found, limits.margin, p, alpha)]
    if limits.floor is not None:
        higher = found.direction == "higher"
        bad = found.candidate < limits.floor if higher else found.candidate > limits.floor
        sign = "at least" if higher else "at most"
        verdict: Verdict = "regression" if bad else "pass"
        checks.append(Check(task.task, f"{name} floor", verdict, f"{found.candidate:.4f}", f"{sign} {limits.floor:g}"))
    return checks


def _difference_check(task: TaskComparison, found: Paired, margin: float | None, p: float, alpha: float) -> Check:
    told = f"{found.difference:+.4f}, adjusted p of worse {p:.2g}"
    significant = found.worse and p <= alpha
    if margin is None:
        verdict: Verdict = "regression" if significant else "pass"
        return Check(task.task, found.metric, verdict, told, f"not significantly worse (alpha {alpha:g})")
    required = f"worse by less than {margin:g}"
    if task.identical and not found.wins and not found.losses:
        return Check(task.task, found.metric, "pass", told, required, "every prediction is the same")
    if found.interval is None:
        verdict = "regression" if significant else "inconclusive"
        return Check(task.task, found.metric, verdict, told, required, f"no interval from {found.n_cases} cases")
    limit = -found.interval.low if found.direction == "higher" else found.interval.high
    told += f", at most {limit:.4f} worse" if limit > 0 else f", at least {-limit:.4f} better"
    if limit < margin:
        return Check(task.task, found.metric, "pass", told, required)
    if significant:
        return Check(task.task, found.metric, "regression", told, required)
    why = f"{found.n_cases} cases are too few to tell; m3dbench power says how many it takes"
    return Check(task.task, found.metric, "inconclusive", told, required, why)


def _rate_checks(task: TaskComparison, rule: TaskRules, summary: Mapping[str, Any]) -> list[Check]:
    counts = summary.get("predictions", {})
    planned = int(summary.get("samples", 0))
    failed = sum(counts.get(name, 0) for name in ("error", "refused", "missing"))
    checks = [_at_most(task.task, "error rate", failed, planned, rule.max_error_rate)]
    for item in summary.get("metrics", ()):
        if item["scoring"] == "corrected" and item["metric"] in rule.metrics:
            micro = item["micro"]
            of, name = micro["n_planned"], f"{item['metric']} unscored rate"
            checks.append(_at_most(task.task, name, micro["n_unscored"], of, rule.max_unscored_rate))
    if rule.max_no_seg_rate is not None:
        silent = summary.get("notes", {}).get(NO_SEG, 0)
        checks.append(_at_most(task.task, "no-[SEG] rate", silent, planned, rule.max_no_seg_rate))
    for name in rule.metrics:
        found = task.metric(name)
        if found is not None:
            of = found.n_samples + found.left_out
            share = found.n_samples / of if of else 0.0
            verdict: Verdict = "pass" if of and share >= rule.min_coverage else "not comparable"
            told = f"{found.n_samples:,} of {of:,}"
            checks.append(Check(task.task, f"{name} coverage", verdict, told, f"at least {rule.min_coverage:.1%}"))
    return checks


def _at_most(task: str, name: str, count: int, of: int, allowed: float) -> Check:
    if of == 0:
        return Check(task, name, "not comparable", "no samples", "at least one sample")
    verdict: Verdict = "pass" if count / of <= allowed else "regression"
    return Check(task, name, verdict, f"{count:,} of {of:,} ({count / of:.1%})", f"at most {allowed:.1%}")
