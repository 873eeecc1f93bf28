"""Options of the judge that several commands share, and how they become ``JudgeOptions``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from m3dbench.errors import UserError

if TYPE_CHECKING:
    from m3dbench.judge.options import JudgeOptions

JudgeModel = Annotated[
    str | None, typer.Option("--judge-model", help="The judge: a server's name for it, or hf:PATH in process.")
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", help="Address of the judge's server, up to /v1; OpenAI's if omitted."),
]
Rubrics = Annotated[
    str, typer.Option("--rubric", help="Rubrics, with commas (see `m3dbench judge rubrics`); the task's if omitted.")
]
JudgeOptionPairs = Annotated[
    list[str] | None,
    typer.Option("--judge-option", metavar="KEY=VALUE", help="An option of `m3dbench judge`; may be repeated."),
]
Judging = Annotated[
    bool, typer.Option("--judge", help="Have a language model judge the texts as well (docs/judge.md).")
]
RubricFile = Annotated[Path | None, typer.Option("--rubric-file", help="A rubric of your own (TOML).")]
Templates = Annotated[
    Path | None,
    typer.Option("--templates", metavar="DIR", help="Checkout of the M3D repository, for --rubric m3d; never run."),
]
Revision = Annotated[str, typer.Option("--judge-revision", help="Which build of the model the server runs.")]
Temperature = Annotated[float, typer.Option(min=0, help="Sampling temperature.")]
Seed = Annotated[int, typer.Option(help="Seed of the fences and of the judge's sampling.")]
MaxTokens = Annotated[int, typer.Option(min=1, help="Longest reply, in tokens.")]
MaxCharacters = Annotated[int, typer.Option(min=100, help="Longer texts are cut there, and the score says so.")]
Attempts = Annotated[int, typer.Option(min=1, help="How often a pair is asked while replies are of no use.")]
Form = Annotated[str, typer.Option("--format", help="json_schema, text (no schema is sent), or auto.")]
ApiKeyEnv = Annotated[str, typer.Option(help="Environment variable that holds the key.")]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds for one attempt.")]
Concurrency = Annotated[int, typer.Option(min=1, help="The most requests on their way at once.")]
Tries = Annotated[int, typer.Option(min=1, help="How often a request is sent that meets faults of the server.")]
PriceIn = Annotated[float, typer.Option(min=0, help="Price of a million tokens read.")]
PriceOut = Annotated[float, typer.Option(min=0, help="Price of a million tokens written.")]
MaxCost = Annotated[float | None, typer.Option(min=0, help="Stop before the total exceeds this.")]
Cache = Annotated[Path | None, typer.Option(help="Directory of replies that several runs share.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would take; send nothing.")]


def judge_asked(
    judge: bool, model: str | None, base_url: str | None, pairs: list[str] | None, rubric: str
) -> JudgeOptions | None:
    """The judge of ``--judge``, None without it. Raises UserError for options of a judge that nobody asked for."""
    if judge:
        return judge_options(model, base_url, pairs, rubric=rubric)
    given = {"--judge-model": model, "--base-url": base_url, "--judge-option": pairs, "--rubric": rubric}
    for name in (name for name, value in given.items() if value):
        own = "; the address of the model itself is -o base_url=URL" if name == "--base-url" else ""
        raise UserError("is the judge's, and --judge is not given", field=name, fix=f"add --judge{own}")
    return None


def judge_options(model: str | None, base_url: str | None, pairs: list[str] | None, **values: Any) -> JudgeOptions:
    """The judge that a user describes. pairs: KEY=VALUE texts. Raises UserError when none is named."""
    from m3dbench.cli.options import key_values
    from m3dbench.judge.options import JudgeOptions

    if not model:
        raise UserError("no judge is named", field="--judge-model", fix="a server's name for it, or hf:PATH")
    texts = key_values(pairs, "--judge-option")
    if base_url is not None:
        values["base_url"] = base_url
    return JudgeOptions(model, **{**values, **JudgeOptions.parse(texts)})
