"""``m3dbench score``: stored answers, no model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from m3dbench.cli.judge_options import BaseUrl, JudgeModel, JudgeOptionPairs, Judging, Rubrics, judge_asked
from m3dbench.cli.options import (
    BertLayer,
    BertModel,
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
    scorings,
    strata_of,
    wordings,
)


def score(
    file: Annotated[
        Path, typer.Argument(help="Answers as .jsonl, .json or .csv (also those of the M3D-Bench scripts).")
    ],
    task: Annotated[str, typer.Option(help="The task that the answers are to (see `m3dbench list tasks`).")],
    out: Annotated[Path, typer.Option(help="Folder for scores.jsonl and summary.json.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Data directory that holds the references, for files of ids and answers."),
    ] = None,
    test_set: Annotated[str, typer.Option(help="Test set of --data.")] = "test",
    datasets: Annotated[str | None, typer.Option(help="Sub-datasets of --data, with commas.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N samples of --data.")] = None,
    model: Annotated[str, typer.Option(help="Name to put on the answers.")] = "answers",
    seed: Seed = 0,
    requests: RequestsOption = RequestsChoice.DEFAULT,
    templates: TemplatesOption = None,
    prompt_variants: PromptVariants = 1,
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
    box_convention: Annotated[
        str, typer.Option(help="How boxes are written: `inclusive` (M3D-Bench scripts) or axes,unit,upper,form.")
    ] = "dhw,fraction,exclusive,corners",
    require_complete: Annotated[
        bool, typer.Option("--require-complete", help="Missing, duplicate or unknown ids are an error.")
    ] = False,
) -> None:
    """Score answers that are already there; needs no model, and for text no volumes.

    Exit status: 0 done, 2 wrong call or bad input, 3 nothing to score.
    """
    from m3dbench import registry
    from m3dbench.cli.console import PLAIN, Bars, warn
    from m3dbench.cli.console import out as console
    from m3dbench.cli.judge import end, judge_summaries, ready
    from m3dbench.cli.table import show_summary
    from m3dbench.data.answers import AnswerFile, declared_convention
    from m3dbench.runs import lock
    from m3dbench.runs.engine import Settings, open_data
    from m3dbench.runs.folder import RunFolder
    from m3dbench.runs.score_file import FileJob, score_file

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
        strata=strata_of(strata),
    )
    asked = judge_asked(judge, judge_model, base_url, judge_option, rubric)
    ready(asked, [registry.create("tasks", task)])
    answers = AnswerFile(file)
    job = FileJob(
        answers=answers,
        task=registry.create("tasks", task),
        source=open_data(data) if data is not None else None,
        model=model,
        convention=declared_convention(box_convention),
        require_complete=require_complete,
    )
    with Bars() as bars:
        summary, notes = score_file(job, out, settings, bars)
        with lock.hold(out):
            (summary,) = judge_summaries([summary], RunFolder.open(out), asked, bars)
    show_summary([summary], {})
    for note in notes:
        warn(note)
    console.print(f"Wrote {out / 'scores.jsonl'} and {out / 'summary.json'}", **PLAIN)
    end([summary])
