"""What judging or an audit would take, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from m3dbench.chat.cost import estimate
from m3dbench.chat.messages import ChatRequest, Usage
from m3dbench.data.manifest import read_samples
from m3dbench.judge.audit import AuditPlan
from m3dbench.judge.folder import JudgeFolder
from m3dbench.judge.items import items_of
from m3dbench.judge.options import JudgeOptions
from m3dbench.judge.probes import probes
from m3dbench.judge.prompt import messages
from m3dbench.judge.rubric import Rubric
from m3dbench.judge.stage import checked
from m3dbench.runs.folder import RunFolder, TaskFolder
from m3dbench.runs.journal import Rows, mend, predictions
from m3dbench.task import Task


@dataclass(frozen=True)
class Estimate:
    """What judging a task under a rubric would take: pairs still to judge, of how many, tokens at most, cost."""

    task: str
    rubric: str
    pairs: int
    of: int
    usage: Usage
    cost: float


def estimates(run: RunFolder, task: Task[Any], options: JudgeOptions) -> Iterator[Estimate]:
    """One a rubric, for a dry run: nothing is sent. Replies that need asking again are not foreseen."""
    folder: TaskFolder = checked(run, task)
    for rubric in options.rubrics_for(task.name):
        files = JudgeFolder.of(folder)
        known = {row["id"] for row in mend(files.journal, lambda _: True)}
        client = options.client()
        judge = options.judge(client, structured=options.format != "text")
        rows = Rows(folder.predictions)

        pairs, total, used = 0, 0, Usage()
        for item in items_of(read_samples(folder.manifest), predictions(rows), judge, rubric):
            total += 1
            if item.key not in known:
                pairs += 1
                used += estimate(ChatRequest(messages(rubric, item.pair, judge.asking), judge.options(rubric)))
        rows.close()
        yield Estimate(task.name, rubric.name, pairs, total, used, options.price.of(used))


def audit_estimate(plan: AuditPlan, rubric: Rubric, options: JudgeOptions) -> tuple[Usage, int]:
    """What an audit would take: tokens at most, and askings."""
    judge = options.judge(options.client(), structured=options.format != "text")
    found = {probe.item.key: probe.item for probe in probes(plan.cases, plan.ratings, judge, rubric, plan.repeats)}
    asked = [
        estimate(ChatRequest(messages(rubric, item.pair, item.judge.asking), item.judge.options(rubric)))
        for item in found.values()
    ]
    return sum(asked, Usage()), len(asked)
