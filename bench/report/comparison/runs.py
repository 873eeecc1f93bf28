"""Candidates held against a base, task by task, and a gate applied to all of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from m3dbench.errors import UserError
from m3dbench.report.comparison import gate
from m3dbench.report.comparison.compare import compare_task
from m3dbench.report.comparison.result import RunComparison
from m3dbench.report.comparison.rules import GateRules
from m3dbench.runs.folder import RunFolder


def tasks_asked(base: RunFolder, tasks: Sequence[str] | None, rules: GateRules | None) -> list[str]:
    """The tasks to compare: those named, else those of the gate, else those of the base.

    Raises UserError for a named task that the gate says nothing of.
    """
    for name in tasks or ():
        if rules is not None and name not in rules.tasks:
            raise UserError(
                f"the gate states nothing for the task {name!r}",
                field="--task",
                fix=f"it has: {', '.join(rules.tasks)}; or compare without --gate",
            )
    return list(tasks or (rules.tasks if rules is not None else base.tasks()))


def compare_runs(
    base: RunFolder,
    candidates: Sequence[RunFolder],
    tasks: Sequence[str] | None = None,
    *,
    rules: GateRules | None = None,
    allow: Collection[str] = (),
    advance: Callable[[int], None] = lambda _: None,
) -> list[RunComparison]:
    """One comparison a candidate, with checks and verdict where there are rules; ``advance`` once a task."""
    asked = tasks_asked(base, tasks, rules)
    if rules is not None:
        chosen = {name: rule for name, rule in rules.tasks.items() if name in asked}
        rules = rules.model_copy(update={"tasks": chosen})
    level = gate.level(rules) if rules is not None else 0.95
    compared = []
    told = _names([base, *candidates])
    for place, candidate in enumerate(candidates, 1):
        found = []
        for name in asked:
            found.append(compare_task(base, candidate, name, allow=allow, level=level))
            advance(1)
        compared.append(RunComparison(told[0], told[place], tuple(found)))
    if rules is None:
        return compared
    return gate.judge(compared, rules, [candidate.summaries() for candidate in candidates])


def _names(runs: Sequence[RunFolder]) -> list[str]:
    """The folders' names, with as much of their paths as tells different folders apart."""
    paths = [run.path.resolve() for run in runs]
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(names)) == len(set(paths)):
            break
    return names
