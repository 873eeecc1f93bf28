"""What a user says about the judge, and what follows from it: client, identity, rubrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from m3dbench.chat.client import Client
from m3dbench.chat.connect import connect
from m3dbench.chat.cost import Ledger, Price
from m3dbench.chat.endpoint import OPENAI
from m3dbench.errors import UserError
from m3dbench.judge.identity import Judge
from m3dbench.judge.prompt import MAX_CHARACTERS, Asking
from m3dbench.judge.rubric import SHIPPED, Rubric, default_for, find, read, shipped
from m3dbench.metrics.judge import Scale

Format = Literal["auto", "json_schema", "text"]
BOUNDS: Mapping[str, tuple[float, float]] = {
    "attempts": (1, 100),
    "tries": (1, 100),
    "max_tokens": (1, 10**7),
    "max_characters": (100, 10**7),
    "temperature": (0, 10),
    "max_unscored": (0, 1),
}
UPSTREAM = "m3d"
"""The rubric of the reference, imported from a checkout."""


@dataclass(frozen=True)
class JudgeOptions:
    """What a user says about the judge.

    model: a server's name for it, or ``hf:PATH``. rubric: names with commas, each task's default if empty.
    format: ``json_schema`` sends a schema, ``text`` sends none, ``auto`` finds out what the endpoint takes.
    price_in, price_out: per million tokens. max_unscored: share of samples. audit: folder of the judge's audit.
    """

    model: str
    base_url: str = OPENAI
    rubric: str = ""
    rubric_file: Path | None = None
    templates: Path | None = None
    revision: str = ""
    temperature: float = 0.0
    seed: int = 0
    max_tokens: int = 2000
    max_characters: int = MAX_CHARACTERS
    attempts: int = 3
    format: Format = "auto"
    api_key_env: str = "OPENAI_API_KEY"
    timeout: float = 120.0
    concurrency: int = 8
    tries: int = 6
    price_in: float = 0.0
    price_out: float = 0.0
    max_cost: float | None = None
    cache: Path | None = None
    max_unscored: float = 0.02
    retry_unscored: bool = False
    audit: Path | None = None

    def __post_init__(self) -> None:
        for name, (least, most) in BOUNDS.items():
            if not least <= getattr(self, name) <= most:
                raise UserError(f"takes {least:g} to {most:g}, not {getattr(self, name)}", field=name)
        if self.format not in get_args(Format):
            raise UserError(f"takes {', '.join(get_args(Format))}", field="format")

    @property
    def price(self) -> Price:
        return Price(self.price_in, self.price_out)

    @cached_property
    def ledger(self) -> Ledger:
        """What all clients of these options spend together."""
        return Ledger(self.price, self.max_cost)

    @staticmethod
    def parse(texts: Mapping[str, str]) -> dict[str, Any]:
        """Values of options from texts ``name -> value``. Raises UserError naming those there are."""
        hints = get_type_hints(JudgeOptions)
        known = [item.name for item in fields(JudgeOptions) if item.name != "model"]
        values: dict[str, Any] = {}
        for name, text in texts.items():
            if name not in known:
                raise UserError(f"is no option of the judge: {name!r}", fix=f"options: {', '.join(known)}")
            kind = next((k for k in (bool, int, float, Path) if k in (hints[name], *get_args(hints[name]))), str)
            try:
                values[name] = text.lower() in ("true", "yes", "1") if kind is bool else kind(text)
            except ValueError as error:
                raise UserError(f"takes {kind.__name__}, not {text!r}", field=name) from error
        return values

    def client(self, log: Path | None = None) -> Client:
        """The client of this judge. log: the file of replies, under a run's lock."""
        return connect(
            self.model,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
            timeout_s=self.timeout,
            concurrency=self.concurrency,
            ledger=self.ledger,
            log=log,
            cache=self.cache,
            seed=self.seed,
            attempts=self.tries,
        )

    def judge(self, client: Client | None, *, structured: bool) -> Judge:
        """The judge's identity; without a client, as far as it is known before one is made."""
        facts = client.facts() if client is not None else {}
        return Judge(
            model=str(facts.get("model", self.model)),
            revision=self.revision or str(facts.get("revision", "")),
            endpoint=str(facts.get("endpoint", "")),
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            attempts=self.attempts,
            asking=Asking(self.seed, structured, self.max_characters),
        )

    def rubrics(self) -> list[Rubric]:
        """The rubrics that are named."""
        names = [name.strip() for name in self.rubric.split(",") if name.strip()]
        chosen = [imported(self.templates) if name == UPSTREAM else find(name) for name in names]
        return chosen if self.rubric_file is None else [*chosen, read(self.rubric_file)]

    def rubrics_for(self, task: str) -> list[Rubric]:
        """The rubrics under which a task is judged: those named that are made for it, or its default.

        Raises UserError when there is none.
        """
        named = self.rubrics()
        default = default_for(task)
        chosen = [rubric for rubric in named if rubric.suits(task)] if named else [default] if default else []
        if not chosen:
            told = f"{', '.join(rubric.name for rubric in named)} is not made for it" if named else "it has no default"
            suiting = [rubric.name for rubric in shipped() if rubric.suits(task)] or list(SHIPPED)
            fix = f"choose with --rubric: {', '.join(suiting)}; or give your own with --rubric-file"
            raise UserError(f"no rubric judges {task}: {told}", field="--rubric", fix=fix)
        if len({rubric.metric for rubric in chosen}) < len(chosen):
            raise UserError("two rubrics have the same name", field="--rubric", fix="rename your own")
        return chosen


def imported(checkout: Path | None) -> Rubric:
    """The reference's rubric. Raises UserError without a checkout to read it from."""
    from m3dbench.upstream.judge_prompt import read_judge_prompt

    if checkout is None:
        raise UserError(
            f"the rubric {UPSTREAM} is the reference's, which m3dbench does not hold",
            field="--templates",
            fix="git clone https://github.com/BAAI-DCAI/M3D, and give its folder as --templates",
        )
    prompt = read_judge_prompt(checkout)
    named = Rubric(
        name=UPSTREAM,
        version="",
        kind="score",
        instructions="",
        title="The reference's own judge",
        scale=Scale(1.0, 0.0, 100.0),
        system=prompt.system,
        user=prompt.user,
    )
    return replace(named, version=named.digest[:8])
