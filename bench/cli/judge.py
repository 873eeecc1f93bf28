"""``m3dbench judge``: a language model judges the answers of a run; ``judge audit`` examines the judge itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from m3dbench.cli.judge_audit import audit_judge
from m3dbench.cli.judge_options import (
    ApiKeyEnv,
    Attempts,
    BaseUrl,
    Cache,
    Concurrency,
    DryRun,
    Form,
    JudgeModel,
    MaxCharacters,
    MaxCost,
    MaxTokens,
    PriceIn,
    PriceOut,
    Revision,
    RubricFile,
    Rubrics,
    Seed,
    Temperature,
    Templates,
    Timeout,
    Tries,
    judge_options,
)
from m3dbench.errors import ExitCode, UserError

if TYPE_CHECKING:
    from m3dbench.judge.options import JudgeOptions
    from m3dbench.progress import Progress
    from m3dbench.runs.folder import RunFolder
    from m3dbench.runs.summary import TaskSummary


class OrRun(TyperGroup):
    """A group whose first word, where it is no command, belongs to the command ``run``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=OrRun,
    help="Have a language model judge the texts of a run (`m3dbench judge RUN ...`), and audit such a judge.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.command("audit")(audit_judge)


@app.command("run")
def judge(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `run` or `score` wrote.")],
    judge_model: JudgeModel = None,
    base_url: BaseUrl = None,
    task: Annotated[str | None, typer.Option(help="Tasks, with commas; all with text answers if omitted.")] = None,
    rubric: Rubrics = "",
    rubric_file: RubricFile = None,
    templates: Templates = None,
    judge_revision: Revision = "",
    temperature: Temperature = 0.0,
    seed: Seed = 0,
    max_tokens: MaxTokens = 2000,
    max_characters: MaxCharacters = 20_000,
    attempts: Attempts = 3,
    form: Form = "auto",
    api_key_env: ApiKeyEnv = "OPENAI_API_KEY",
    timeout: Timeout = 120.0,
    concurrency: Concurrency = 8,
    tries: Tries = 6,
    price_in: PriceIn = 0.0,
    price_out: PriceOut = 0.0,
    max_cost: MaxCost = None,
    cache: Cache = None,
    dry_run: DryRun = False,
    max_unscored: Annotated[
        float, typer.Option(min=0, max=1, help="Share of samples without a verdict above which nothing is publishable.")
    ] = 0.02,
    retry_unscored: Annotated[
        bool, typer.Option("--retry-unscored", help="Ask again what ended without a verdict before.")
    ] = False,
    audit: Annotated[
        Path | None, typer.Option("--audit", help="Folder of this judge's audit, to travel with the scores.")
    ] = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Claim the folder from a dead process on another host.")
    ] = False,
) -> None:
    """Judge the answers of a run that is finished; goes on where an earlier start stopped.

    Exit status: 0 done, 1 done with more samples without a verdict than --max-unscored, 2 wrong call or bad input.
    """
    from m3dbench import registry
    from m3dbench.cli.console import PLAIN, Bars
    from m3dbench.cli.console import out as console
    from m3dbench.runs import lock
    from m3dbench.runs.folder import RunFolder

    options = judge_options(
        judge_model,
        base_url,
        None,
        rubric=rubric,
        rubric_file=rubric_file,
        templates=templates,
        revision=judge_revision,
        temperature=temperature,
        seed=seed,
        max_tokens=max_tokens,
        max_characters=max_characters,
        attempts=attempts,
        format=form,
        api_key_env=api_key_env,
        timeout=timeout,
        concurrency=concurrency,
        tries=tries,
        price_in=price_in,
        price_out=price_out,
        max_cost=max_cost,
        cache=cache,
        max_unscored=max_unscored,
        retry_unscored=retry_unscored,
        audit=audit,
    )
    run = RunFolder.open(folder)
    names = [name.strip() for name in task.split(",")] if task else run.tasks()
    for name in names:
        run.insist(name)
    tasks = [registry.create("tasks", name) for name in names]
    tasks = [item for item in tasks if task or item.answer == "text"]
    if not tasks:
        raise UserError("the run has no task with text answers", file=folder, code=ExitCode.NOTHING_TO_SCORE)
    if dry_run:
        show_estimates(run, tasks, options)
        return
    ready(options, tasks)
    with Bars() as bars, lock.hold(folder, take_over=take_over):
        run.begin()
        summaries = [judged_summary(run, item, options, bars) for item in tasks]
    from m3dbench.cli.table import show_summary

    show_summary(summaries, {})
    console.print(f"Wrote {folder}: values in scores.jsonl and summary.json, verdicts in judge.jsonl", **PLAIN)
    end(summaries)


@app.command("rubrics")
def list_rubrics() -> None:
    """List the rubrics of this package."""
    from m3dbench.cli.console import out
    from m3dbench.cli.table import laid_out
    from m3dbench.judge.rubric import shipped

    found = shipped()
    out.print(
        laid_out(
            {
                "rubric": [rubric.name for rubric in found],
                "version": [rubric.version for rubric in found],
                "digest": [rubric.digest[:12] for rubric in found],
                "default for": [", ".join(rubric.default_for) for rubric in found],
                "also for": [", ".join(rubric.tasks) for rubric in found],
                "what it measures": [rubric.title for rubric in found],
            }
        )
    )


def judged_summary(run: RunFolder, task: Any, options: JudgeOptions, progress: Progress) -> TaskSummary:
    """Judge one task; the judge's part of its summary."""
    import json
    from dataclasses import fields

    from m3dbench.judge.session import judge_run_task
    from m3dbench.runs.summary import ControlSummary, TaskSummary

    joined = judge_run_task(run, task, options, progress)
    content = json.loads(run.task(task.name).summary.read_text(encoding="utf-8"))["tasks"][task.name]
    plain = {item.name: content[item.name] for item in fields(TaskSummary) if item.name in content}
    control = ControlSummary(content["control"]["name"]) if content.get("control") else None
    return TaskSummary(**{**plain, "metrics": joined.metrics, "judges": joined.judges, "control": control})


def ready(options: JudgeOptions | None, tasks: list[Any]) -> None:
    """Raise UserError for what would stop the judge, before anything is asked or written: a key in the wrong place is
    not to be written down with the command."""
    if options is None:
        return
    texts = [task.name for task in tasks if task.answer == "text"]
    if not texts:
        raise UserError("no task here is answered with text: there is nothing to judge", field="--judge")
    for name in texts:
        options.rubrics_for(name)
    options.client()


def judge_summaries(
    summaries: list[TaskSummary], run: RunFolder, options: JudgeOptions | None, progress: Progress
) -> list[TaskSummary]:
    """The summaries with what the judge adds to them: asked now, or, without options, by those who judged before."""
    from dataclasses import replace

    from m3dbench import registry
    from m3dbench.judge.session import judge_run_task
    from m3dbench.judge.stage import join

    told = []
    for summary in summaries:
        task = registry.create("tasks", summary.task)
        if task.answer == "text":
            joined = judge_run_task(run, task, options, progress) if options else join(run, task, progress)
            summary = replace(summary, metrics=(*summary.metrics, *joined.metrics), judges=joined.judges)
        told.append(summary)
    return told


def show_estimates(run: RunFolder, tasks: list[Any], options: JudgeOptions) -> None:
    """What a dry run says: pairs, tokens and cost by task and rubric."""
    from m3dbench.cli.console import PLAIN, out
    from m3dbench.cli.table import laid_out
    from m3dbench.judge.estimates import estimates

    found = [item for task in tasks for item in estimates(run, task, options)]
    priced = bool(options.price_in or options.price_out)
    out.print(
        laid_out(
            {
                "task": [item.task for item in found],
                "rubric": [item.rubric for item in found],
                "to judge": [f"{item.pairs:,} of {item.of:,}" for item in found],
                "tokens in": [f"{item.usage.prompt_tokens:,}" for item in found],
                "tokens out, at most": [f"{item.usage.completion_tokens:,}" for item in found],
                "cost, at most": [f"{item.cost:.4g}" if priced else "no price given" for item in found],
            }
        )
    )
    out.print(
        "An estimate: three bytes a token, and every reply as long as --max-tokens allows. Nothing was sent.", **PLAIN
    )


def end(summaries: Sequence[TaskSummary]) -> None:
    """Exit status 1 where a judge's scores are not to be published; the table's notes have said so."""
    if not all(judge.publishable for summary in summaries for judge in summary.judges):
        raise typer.Exit(int(ExitCode.ERRORS_OVER_BUDGET))
