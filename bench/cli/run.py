"""``m3dbench run``: a model on tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from m3dbench.cli.judge_options import BaseUrl, JudgeModel, JudgeOptionPairs, Judging, Rubrics, judge_asked
from m3dbench.cli.options import (
    BertLayer,
    BertModel,
    ControlOption,
    DataOption,
    MetricNames,
    MetricOptions,
    PromptVariants,
    RequestsChoice,
    RequestsOption,
    ScoringChoice,
    ScoringOption,
    Seed,
    StrataOption,
    TemplatesOption,
    metric_options,
    model_options,
    scorings,
    strata_of,
    wordings,
)
from m3dbench.errors import ExitCode, UserError

if TYPE_CHECKING:
    from m3dbench.adapter import Adapter
    from m3dbench.runs.engine import Settings


def run(
    model: Annotated[str, typer.Option(help="Model adapter (see `m3dbench list models`).")],
    task: Annotated[str, typer.Option(help="Task, several with commas, or `all` that the model can do.")] = "all",
    data: DataOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Run folder; runs/MODEL-DATA[-CONTROL] if omitted. An unfinished one is resumed."),
    ] = None,
    test_set: Annotated[
        str, typer.Option(help="Test set: test, test1k, test5k, ... as the data set names them.")
    ] = "test",
    datasets: Annotated[
        str | None,
        typer.Option(help="Sub-datasets, with commas (M3D-Seg codes, M3D-RefSeg); the task's if omitted."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N samples.")] = None,
    seed: Seed = 0,
    requests: RequestsOption = RequestsChoice.DEFAULT,
    templates: TemplatesOption = None,
    prompt_variants: PromptVariants = 1,
    control: ControlOption = None,
    against: Annotated[
        Path | None,
        typer.Option(help="Plain run that a --control is compared with; the default folder's if omitted."),
    ] = None,
    model_option: Annotated[
        list[str] | None,
        typer.Option("--model-option", "-o", metavar="KEY=VALUE", help="An option of the adapter; may be repeated."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Where a model with weights computes: cpu, cuda, cuda:N or auto (the default).")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="Its precision: fp32, bf16, fp16 or auto (fp32 on a CPU, half precision on a GPU)."),
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch the model's weights from the hub if they are not here.")
    ] = False,
    reference_loader_bug: Annotated[
        bool,
        typer.Option("--reference-loader-bug", help="Load the weights with the known bug of the reference's loader."),
    ] = False,
    trust_remote_code: Annotated[
        bool,
        typer.Option("--trust-remote-code", help="Run code that lies beside the weights, if the model needs it."),
    ] = False,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Queries per batch, if the adapter takes several.")
    ] = None,
    strata: StrataOption = None,
    scoring: ScoringOption = ScoringChoice.BOTH,
    metric: MetricNames = None,
    metric_option: MetricOptions = None,
    bertscore_model: BertModel = None,
    bertscore_layer: BertLayer = None,
    judge: Judging = False,
    judge_model: JudgeModel = None,
    base_url: BaseUrl = None,
    rubric: Rubrics = "",
    judge_option: JudgeOptionPairs = None,
    max_errors: Annotated[
        float, typer.Option(min=0, help="Error budget: a share below 1, or a number of predictions.")
    ] = 0,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first prediction error.")] = False,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Ask again what ended as an error before.")
    ] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Claim the folder from a dead process on another host.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask nothing: say how many requests, tokens and what cost lie ahead.")
    ] = False,
) -> None:
    """Run a model on tasks and score its answers.

    Exit status: 0 done, 1 done with more prediction errors than the budget, 2 wrong call or bad input,
    3 nothing to score, 4 stopped before a limit on cost (resumable).
    """
    from m3dbench import registry
    from m3dbench.cli.console import PLAIN, Bars, show_warnings, warn
    from m3dbench.cli.console import out as console
    from m3dbench.cli.controls import compare_with_plain, moved_by
    from m3dbench.cli.forecast import forecast
    from m3dbench.cli.judge import end, judge_summaries, ready
    from m3dbench.cli.table import show_summary
    from m3dbench.data.phantom.cache import default_phantom
    from m3dbench.runs import baseline, lock
    from m3dbench.runs.engine import Settings, open_data, run_task
    from m3dbench.runs.folder import RunFolder
    from m3dbench.runs.predict import PredictOptions

    show_warnings()
    flags = {
        "device": device,
        "dtype": dtype,
        "download": download or None,
        "reference_loader_bug": reference_loader_bug or None,
        "trust_remote_code": trust_remote_code or None,
    }
    adapter: Adapter = registry.create("adapters", model, model_options(model, model_option, flags))
    if batch_size is not None:
        adapter.batch_size = batch_size
    chosen, skipped = choose_tasks(adapter, task)
    if control is not None and task == "all":
        skipped = sorted({*skipped, *(name for name in chosen if not moved_by(control.value, name))})
        chosen = [name for name in chosen if name not in skipped]
    if against is not None and control is None:
        raise UserError("--against needs a --control", field="--against", fix="add --control, or leave --against out")
    settings = Settings(
        split=test_set,
        parts=tuple(datasets.split(",")) if datasets else None,
        limit=limit,
        seed=seed,
        words=wordings(requests, templates),
        variants=prompt_variants,
        scorings=scorings(scoring),
        metric_options=metric_options(metric_option, bertscore_model, bertscore_layer),
        extra_metrics=tuple(metric or ()),
        control=control.value if control is not None else "",
        strata=strata_of(strata),
        predict=PredictOptions(fail_fast=fail_fast, retry_errors=retry_errors),
    )
    asked = judge_asked(judge, judge_model, base_url, judge_option, rubric)
    ready(asked, [registry.create("tasks", name) for name in chosen])
    with Bars() as bars:
        source = open_data(data if data is not None else default_phantom(bars))
        plain = Path("runs") / f"{model}-{source.root.path.resolve().name}"
        place = out or plain.with_name("-".join(filter(None, (plain.name, settings.control))))
        if dry_run:
            forecast(chosen, adapter, source, place, settings, bars)
            if asked is not None:
                console.print("The judge is not in it, which reads the answers: m3dbench judge RUN --dry-run", **PLAIN)
            return
        folder = RunFolder.create(place)
        comparison = RunFolder.open(against) if against is not None else None
        summaries = []
        with lock.hold(folder.path, take_over=take_over):
            folder.begin()
            for name in chosen:
                try:
                    summaries.append(run_task(registry.create("tasks", name), adapter, source, folder, settings, bars))
                except UserError as error:
                    if task != "all" or error.code is not ExitCode.NOTHING_TO_SCORE:
                        raise
                    warn(f"{name}: {error.message}")
            summaries = judge_summaries(summaries, folder, asked, bars)
            if control is not None:
                summaries = compare_with_plain(summaries, folder, comparison, plain, settings)
            folder.merge_summaries()
        if not summaries:
            raise UserError("no task had anything to score", file=source.root.path, code=ExitCode.NOTHING_TO_SCORE)
        blind = {}
        for summary in summaries if control is None else ():
            if adapter.role == baseline.ROLE:
                baseline.keep(folder, summary.task)
                continue
            values = baseline.find(folder, summary.task)
            if values is None and data is None:
                values = baseline.make(registry.create("tasks", summary.task), source, settings, folder, bars)
            if values is not None:
                blind[summary.task] = values
    show_summary(summaries, blind)
    for note in wording_notes(settings, chosen):
        warn(note)
    if skipped:
        by = model if control is None else f"{model} or control {control.value}"
        told = ", ".join(f"{name}{reason(adapter, name)}" for name in skipped)
        console.print(f"Not supported by {by}: {told}", style="dim", highlight=False, soft_wrap=True)
    if checks := adapter.recorded().get("self_checks"):
        names = ", ".join(check["name"] for check in checks)
        console.print(f"Self-checks at the start, all passed: {names}", style="dim", highlight=False)
    if spent := adapter.spent():
        console.print(f"Spent, earlier starts of this run included: {spent}", **PLAIN)
    console.print(f"Wrote {folder.path}: summary.json, and per task manifest, predictions and scores", **PLAIN)
    console.print(f"Next: python -c \"import m3dbench; print(m3dbench.load_run('{folder.path}').values())\"", **PLAIN)
    errors = sum(summary.predictions["error"] for summary in summaries)
    planned = sum(summary.samples for summary in summaries)
    if errors > (max_errors * planned if max_errors < 1 else max_errors):
        told = f"{errors} of {planned} predictions ended as errors, over the budget of {max_errors:g}"
        warn(f"{told}; the reasons are in predictions.jsonl")
        raise typer.Exit(int(ExitCode.ERRORS_OVER_BUDGET))
    end(summaries)


def wording_notes(settings: Settings, tasks: list[str]) -> list[str]:
    """Where a task has fewer wordings than asked for, or imported sentences that no sample can be worded with."""
    from m3dbench import registry
    from m3dbench.data.variants import variant_count

    notes = []
    for name in tasks:
        task = registry.create("tasks", name)
        count = variant_count(task, settings.words, settings.variants)
        if count < settings.variants:
            told = "only one wording, so nothing is said of its spread" if count == 1 else f"only {count} wordings"
            notes.append(f"{name} has {told}")
        for slot, number in settings.words.left_out((*task.slots, *task.answers)).items():
            notes.append(f"{name}: {number} of the imported {slot} ask for more values than there are; never drawn")
    return notes


def choose_tasks(adapter: Adapter, wanted: str) -> tuple[list[str], list[str]]:
    """The tasks to run and those that the adapter does not support. Raises UserError naming what it declares."""
    from m3dbench import registry

    known = list(registry.available("tasks"))
    if wanted == "all":
        return [name for name in known if name in adapter.tasks], [name for name in known if name not in adapter.tasks]
    names = [name.strip() for name in wanted.split(",")]
    for name in names:
        registry.load("tasks", name)
        if name not in adapter.tasks:
            raise UserError(
                f"{adapter.name} does not do {name!r}{reason(adapter, name)}",
                field="--task",
                fix=f"it declares: {', '.join(sorted(adapter.tasks))}",
            )
    return names, []


def reason(adapter: Adapter, task: str) -> str:
    """In brackets, why an adapter does not do a task; empty where it does not say."""
    told = adapter.lacks(task)
    return f" ({told})" if told else ""
