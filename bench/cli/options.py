"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from m3dbench.errors import UserError

if TYPE_CHECKING:
    from m3dbench.data.strata import Strata
    from m3dbench.task import Scoring
    from m3dbench.wording import Wordings


WITHOUT = {
    "reference_loader_bug": "no such bug is known of it",
    "trust_remote_code": "it never runs code from a checkpoint",
    "download": "it fetches no weights",
}
"""Why a model may not take a flag, where it is not for want of weights."""
ENCODER_METRICS = ("bertscore_f1", "upstream.bertscore_f1", "bertscore_f1_rescaled")


class ScoringChoice(StrEnum):
    """Which scoring rules to compute."""

    BOTH = "both"
    CORRECTED = "corrected"
    UPSTREAM = "upstream"


class RequestsChoice(StrEnum):
    """How samples are worded."""

    DEFAULT = "default"
    UPSTREAM = "upstream"


RequestsOption = Annotated[
    RequestsChoice, typer.Option(help="Wording of the requests: ours, or as the M3D scripts make them (--templates).")
]
TemplatesOption = Annotated[
    Path | None,
    typer.Option("--templates", metavar="DIR", help="Checkout of the M3D repository; its files are read, never run."),
]
PromptVariants = Annotated[
    int, typer.Option(min=1, help="Ask each sample in N wordings, and show how far the values lie apart.")
]


class ControlChoice(StrEnum):
    """What the model is shown instead (``m3dbench.runs.control``)."""

    BLANK = "blank"
    SWAP = "swap"
    SHUFFLE_SLICES = "shuffle-slices"
    PERMUTE_CHOICES = "permute-choices"


ControlOption = Annotated[
    ControlChoice | None,
    typer.Option(help="Show the model something else, and measure how far its values drop (docs/controls.md)."),
]
StrataOption = Annotated[
    Path | None,
    typer.Option("--strata", metavar="FILE", help="Strata of samples or cases, as `m3dbench data audit` writes them."),
]
ScoringOption = Annotated[
    ScoringChoice, typer.Option(help="Scoring rules: what the paper means, what its scripts do, or both.")
]
Seed = Annotated[int, typer.Option(help="Seed of wordings, definitions and random baselines.")]
MetricNames = Annotated[list[str] | None, typer.Option("--metric", help="A further metric by name; may be repeated.")]
MetricOptions = Annotated[
    list[str] | None,
    typer.Option("--metric-option", metavar="METRIC.KEY=VALUE", help="An option of a metric; may be repeated."),
]
BertModel = Annotated[
    str | None, typer.Option("--bertscore-model", help="BERTScore encoder: a folder, or a hub id in the cache.")
]
BertLayer = Annotated[
    int | None, typer.Option("--bertscore-layer", help="Layer of the encoder whose output is matched.")
]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="Data directory in the M3D layout; the embedded phantom if omitted.")
]


def scorings(choice: ScoringChoice) -> tuple[Scoring, ...]:
    """The scorings that a choice means."""
    if choice is ScoringChoice.CORRECTED:
        return ("corrected",)
    return ("upstream",) if choice is ScoringChoice.UPSTREAM else ("corrected", "upstream")


def wordings(requests: RequestsChoice, templates: Path | None) -> Wordings:
    """The source of sentences that the options mean. Raises UserError when one is given without the other."""
    from m3dbench.wording import Wordings

    if requests is RequestsChoice.DEFAULT:
        if templates is not None:
            raise UserError("--templates is only for --requests upstream", fix="add --requests upstream")
        return Wordings()
    from m3dbench.upstream.checkout import read_checkout
    from m3dbench.upstream.wordings import UpstreamWordings

    if templates is None:
        raise UserError(
            "--requests upstream needs the reference's sentences, which m3dbench does not hold",
            field="--templates",
            fix="git clone https://github.com/BAAI-DCAI/M3D, and give its folder as --templates",
        )
    return UpstreamWordings(read_checkout(templates))


def three_sizes(grid: str) -> tuple[int, int, int]:
    """``--grid D,H,W``. Raises UserError when it is not three positive sizes."""
    sizes = grid.split(",")
    if len(sizes) != 3 or not all(size.strip().isdigit() and int(size) > 0 for size in sizes):
        raise UserError(f"--grid takes three sizes D,H,W, not {grid!r}", field="--grid", fix="for example 32,256,256")
    depth, height, width = (int(size) for size in sizes)
    return depth, height, width


def strata_of(file: Path | None) -> Strata | None:
    """The stratum file of --strata. Raises DataError when it cannot be used."""
    from m3dbench.data.strata import read_strata

    return read_strata(file) if file is not None else None


def key_values(pairs: Sequence[str] | None, option: str) -> dict[str, str]:
    """``["a=1"]`` -> ``{"a": "1"}``. Raises UserError when one has no ``=``."""
    values = {}
    for pair in pairs or ():
        key, found, value = pair.partition("=")
        if not found or not key:
            raise UserError(f"{option} takes KEY=VALUE, not {pair!r}")
        values[key.replace("-", "_")] = value
    return values


def model_options(model: str, pairs: Sequence[str] | None, flags: Mapping[str, Any]) -> dict[str, Any]:
    """Options of an adapter: --model-option, and the flags (without ``--``; None: not given) that stand for some.

    Raises UserError when the adapter has no such option, and when one is given both ways.
    """
    from m3dbench import registry

    options: dict[str, Any] = dict(key_values(pairs, "--model-option"))
    for name, value in flags.items():
        if value is None:
            continue
        flag = f"--{name.replace('_', '-')}"
        if name not in registry.takes("adapters", model):
            why = WITHOUT.get(name, "it has no weights to place or to fetch")
            raise UserError(f"the model {model!r} does not take {flag}: {why}", field=flag, fix=f"leave {flag} out")
        if name in options:
            raise UserError(f"{flag} and -o {name}=... are one option", field=flag, fix="give one of them")
        options[name] = value
    return options


def metric_options(pairs: Sequence[str] | None, model: str | None, layer: int | None) -> dict[str, dict[str, Any]]:
    """Metric -> keyword options, from --metric-option and the BERTScore shorthands; unknown names raise UserError."""
    from m3dbench import registry

    options: dict[str, dict[str, Any]] = {}
    for pair in pairs or ():
        key, _, value = pair.partition("=")
        metric, found, option = key.rpartition(".")
        if not found:
            raise UserError(f"--metric-option takes METRIC.KEY=VALUE, not {pair!r}")
        options.setdefault(metric, {}).update(key_values([f"{option}={value}"], "--metric-option"))
    for name, content in (("model", model), ("layer", layer)):
        if content is not None:
            for metric in ENCODER_METRICS:
                options.setdefault(metric, {})[name] = content
    for metric in options:
        registry.load("metrics", metric)
    return options
