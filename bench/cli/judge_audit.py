"""``m3dbench judge audit``: is this judge fit for use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from m3dbench.cli.judge_options import (
    BaseUrl,
    Cache,
    DryRun,
    JudgeModel,
    JudgeOptionPairs,
    MaxCost,
    PriceIn,
    PriceOut,
    RubricFile,
    Templates,
    judge_options,
)
from m3dbench.errors import ExitCode, UserError


def audit_judge(
    out: Annotated[Path, typer.Option(help="Folder for audit.json and audit.md; an unfinished audit is resumed.")],
    judge_model: JudgeModel = None,
    base_url: BaseUrl = None,
    rubric: Annotated[str, typer.Option("--rubric", help="The rubric to audit it under.")] = "aspects-recall",
    rubric_file: RubricFile = None,
    templates: Templates = None,
    judge_option: JudgeOptionPairs = None,
    run: Annotated[Path | None, typer.Option("--run", help="Take references from this run, not our own.")] = None,
    task: Annotated[str, typer.Option(help="The task of --run.")] = "report_generation",
    cases: Annotated[int, typer.Option(min=2, help="At most so many cases.")] = 12,
    repeats: Annotated[int, typer.Option(min=2, help="How often the same pair is asked.")] = 3,
    attacked: Annotated[int, typer.Option(min=1, help="To how many cases every attack is applied.")] = 4,
    humans: Annotated[
        Path | None,
        typer.Option("--humans", help="People's scores: a CSV of reference, prediction, score[, question, case]."),
    ] = None,
    human_range: Annotated[str, typer.Option(help="Lowest and highest score that people could give.")] = "0,100",
    price_in: PriceIn = 0.0,
    price_out: PriceOut = 0.0,
    max_cost: MaxCost = None,
    cache: Cache = None,
    dry_run: DryRun = False,
) -> None:
    """Find out whether a judge is fit for use: consistent, hard to move, and alive to errors.

    Exit status: 0 fit, 1 not fit, 2 wrong call or bad input.
    """
    from m3dbench.cli.console import PLAIN, Bars
    from m3dbench.cli.console import out as console
    from m3dbench.judge.audit import REPLIES, AuditPlan, audit, cases_of_run
    from m3dbench.judge.estimates import audit_estimate
    from m3dbench.judge.material import shipped_cases
    from m3dbench.judge.probes import Amount, read_ratings
    from m3dbench.judge.session import structured_for
    from m3dbench.runs import lock
    from m3dbench.runs.folder import RunFolder

    options = judge_options(
        judge_model,
        base_url,
        judge_option,
        rubric="" if rubric_file else rubric,
        rubric_file=rubric_file,
        templates=templates,
        price_in=price_in,
        price_out=price_out,
        max_cost=max_cost,
        cache=cache,
    )
    found = options.rubrics()
    if len(found) != 1:
        raise UserError("a judge is audited under one rubric at a time", field="--rubric")
    chosen = found[0]
    material = shipped_cases(chosen) if run is None else cases_of_run(RunFolder.open(run), task, cases, options.seed)
    ratings = read_ratings(humans, *limits(human_range)) if humans is not None else []
    source = "shipped" if run is None else f"references of {task} in {run.resolve().name}"
    plan = AuditPlan(tuple(material[:cases]), tuple(ratings), Amount(repeats, attacked), options.max_unscored, source)
    if dry_run:
        used, asked = audit_estimate(plan, chosen, options)
        told = f"{asked:,} askings, {used.prompt_tokens:,} tokens in, at most {used.completion_tokens:,} out"
        cost = f", cost at most {options.price.of(used):.4g}" if price_in or price_out else ""
        console.print(f"{told}{cost}. Nothing was sent.", **PLAIN)
        return
    options.client()  # what cannot be right is said before anything is written
    out.mkdir(parents=True, exist_ok=True)
    with Bars() as bars, lock.hold(out):
        client = options.client(out / REPLIES)
        judge = options.judge(client, structured=structured_for(client, chosen, options, []))
        report = audit(plan, judge, chosen, client, out, bars)
    show_audit(report)
    console.print(f"Wrote {out / 'audit.md'} and {out / 'audit.json'}", **PLAIN)
    if not report["fit"]:
        raise typer.Exit(int(ExitCode.ERRORS_OVER_BUDGET))


def limits(text: str) -> tuple[float, float]:
    """``"1,5"`` -> (1.0, 5.0). Raises UserError."""
    try:
        low, high = map(float, text.split(","))
    except ValueError as error:
        raise UserError(f"takes LOW,HIGH, not {text!r}", field="--human-range") from error
    return low, high


def show_audit(found: dict[str, Any]) -> None:
    """The checks as a table, and the verdict."""
    from m3dbench.cli.console import PLAIN, out
    from m3dbench.cli.table import laid_out
    from m3dbench.judge.audit_report import silent_checks

    told = {True: "met", False: "NOT MET", None: "-"}
    checks = found["checks"]
    out.print(
        laid_out(
            {
                "check": [check["name"] for check in checks],
                "value": ["-" if check["value"] is None else f"{check['value']:.2f}" for check in checks],
                "needed": [check["needed"] for check in checks],
                "": [told[check["passed"]] for check in checks],
                "answered": [f"{check['answered']}/{check['asked']}" for check in checks],
            }
        )
    )
    judge = f"{found['judge']['model']} under {found['rubric']['name']} {found['rubric']['version']}"
    people = "" if found["compared_with_people"] else "; it was not compared with people (--humans)"
    if silent := silent_checks(found):
        people = f", but nothing is known of {', '.join(silent)}{people}"
    verdict = f"fit for use{people}" if found["fit"] else f"NOT FIT FOR USE: {', '.join(found['failed'])}"
    out.print(f"{judge}: {verdict}.", **PLAIN)
