"""From what a user asks for to judged tasks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from m3dbench.chat.client import Client
from m3dbench.chat.messages import ChatRequest
from m3dbench.errors import UserError
from m3dbench.judge.audit import DOCUMENT, PAGE, read_audit
from m3dbench.judge.folder import JudgeFolder, Record, read_records
from m3dbench.judge.identity import Judge
from m3dbench.judge.options import JudgeOptions
from m3dbench.judge.prompt import messages
from m3dbench.judge.rubric import Rubric
from m3dbench.judge.stage import Joined, checked, judge_task
from m3dbench.metrics.pairs import JudgedPair
from m3dbench.progress import Progress
from m3dbench.runs.folder import RunFolder
from m3dbench.task import Task

PAID = ("prompt_tokens", "completion_tokens", "cost", "cost_of_lost_answers")


def judge_run_task(run: RunFolder, task: Task[Any], options: JudgeOptions, progress: Progress) -> Joined:
    """Judge a finished task of a run under every rubric asked for."""
    joined = Joined((), ())
    folder = checked(run, task)
    for rubric in options.rubrics_for(task.name):
        files = JudgeFolder.of(folder)
        client = options.client(files.replies)
        before = client.recorded()
        judge = options.judge(client, structured=structured_for(client, rubric, options, read_records(files.record)))
        record = Record(
            judge,
            rubric,
            options.max_unscored,
            audited(options.audit, judge, rubric),
            (options.price_in, options.price_out),
        )
        try:
            joined = judge_task(run, task, record, client, retry_unscored=options.retry_unscored, progress=progress)
        finally:
            run.note({"task": task.name, "judge": rubric.name, **_since(before, client.recorded())})
    if options.audit is not None:
        copy_audit(options.audit, run.path)
    return joined


def _since(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What is recorded now, the tokens and costs without those of before: a ledger serves several tasks and rubrics."""
    return {name: round(value - before[name], 6) if name in PAID else value for name, value in now.items()}


def structured_for(client: Client, rubric: Rubric, options: JudgeOptions, records: list[Record]) -> bool:
    """Whether the endpoint takes a JSON schema: as it was found before, else by one request."""
    if options.format != "auto" or rubric.verbatim:
        return options.format == "json_schema"
    plain = options.judge(client, structured=False)
    for record in records:
        if record.rubric == rubric and record.judge.asked(structured=False) == plain:
            return record.judge.asking.structured
    return takes_schema(client, rubric, options)


def takes_schema(client: Client, rubric: Rubric, options: JudgeOptions) -> bool:
    """Ask one harmless question with a schema, and see whether the endpoint refuses the schema."""
    judge = options.judge(client, structured=True)
    pair = JudgedPair("No pleural effusion.", "No pleural effusion.", "Is there a pleural effusion?")
    request = ChatRequest(messages(rubric, pair, judge.asking), judge.options(rubric), key="does it take a schema?")
    try:
        reply = next(iter(client.complete([request])))[1]
    except UserError as error:
        if error.field == "response_format":
            return False
        raise
    return not (reply.status == "failed" and reply.reason.startswith(("HTTP 400", "HTTP 422", "HTTP 501")))


def audited(folder: Path | None, judge: Judge, rubric: Rubric) -> dict[str, Any]:
    """The digest and outcome of an audit. Raises UserError when it is of another judge or another rubric."""
    if folder is None:
        return {}
    found = read_audit(folder)
    if found["signature"] != judge.signature(rubric):
        raise UserError(
            "the audit is of another judge: its identity differs",
            file=folder,
            fix=f"audit this one: {judge.signature(rubric)}",
        )
    return {"digest": found["digest"], "fit": found["fit"], "failed": found["failed"]}


def copy_audit(source: Path, run: Path) -> None:
    """Put an audit's report into the run, named by its digest, so that it travels with the run."""
    name = f"judge-audit-{read_audit(source)['digest'][:12]}"
    for file in (DOCUMENT, PAGE):
        (run / name).with_suffix(Path(file).suffix).write_bytes((source / file).read_bytes())
