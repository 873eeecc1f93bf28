"""From what a user asks for to judged tasks: rubrics, client, estimates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from m3dbench.chat.client import Client
from m3dbench.chat.connect import connect
from m3dbench.chat.cost import Price, estimate
from m3dbench.chat.endpoint import OPENAI
from m3dbench.chat.messages import ChatRequest, Usage
from m3dbench.data.manifest import read_samples
from m3dbench.errors import UserError
from m3dbench.judge import rubric as rubrics
from m3dbench.judge.folder import JudgeFolder, Record, read_records
from m3dbench.judge.identity import Judge
from m3dbench.judge.items import items_of
from m3dbench.judge.prompt import MAX_CHARACTERS, Asking, messages
from m3dbench.judge.rubric import Rubric
from m3dbench.judge.stage import Joined, checked, judge_task
from m3dbench.metrics.judge import Scale
from m3dbench.metrics.pairs import JudgedPair
from m3dbench.progress import Progress
from m3dbench.runs.folder import RunFolder, TaskFolder
from m3dbench.runs.journal import Rows, mend, predictions
from m3dbench.task import Task

Format = Literal["auto", "json_schema", "text"]
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
        for name, least in (("attempts", 1), ("max_tokens", 1), ("max_characters", 100), ("temperature", 0)):
            if getattr(self, name) < least:
                raise UserError(f"is below {least}", field=name)
        if self.format not in get_args(Format):
            raise UserError(f"takes {', '.join(get_args(Format))}", field="format")

    @property
    def price(self) -> Price:
        return Price(self.price_in, self.price_out)

    @staticmethod
    def read(model: str, texts: Mapping[str, str]) -> JudgeOptions:
        """Options from texts ``name -> value``. Raises UserError naming those there are."""
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
        return JudgeOptions(model, **values)

    def client(self, log: Path | None = None) -> Client:
        """The client of this judge. log: the file of replies, under a run's lock."""
        return connect(
            self.model,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
            timeout_s=self.timeout,
            concurrency=self.concurrency,
            price=self.price,
            max_cost=self.max_cost,
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

    def rubrics_for(self, task: str) -> list[Rubric]:
        """The rubrics under which a task is judged. Raises UserError when one is not made for it, or none is."""
        names = [name.strip() for name in self.rubric.split(",") if name.strip()]
        chosen = [self._rubric(name) for name in names]
        if self.rubric_file is not None:
            chosen.append(rubrics.read(self.rubric_file))
        default = rubrics.default_for(task)
        if not chosen and default is not None:
            chosen = [default]
        if not chosen:
            fix = f"choose with --rubric: {', '.join(rubrics.SHIPPED)}"
            raise UserError(f"no rubric judges {task} by default", field="--rubric", fix=fix)
        for rubric in chosen:
            if not rubric.suits(task):
                made = ", ".join(sorted({*rubric.tasks, *rubric.default_for}))
                raise UserError(f"the rubric {rubric.name} is not made for {task}", field="--rubric", fix=f"for: {made}")
        names = [rubric.metric for rubric in chosen]
        if len(set(names)) < len(names):
            raise UserError("two rubrics have the same name", field="--rubric", fix="rename your own")
        return chosen

    def _rubric(self, name: str) -> Rubric:
        return imported(self.templates) if name == UPSTREAM else rubrics.find(name)


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


def judge_run_task(run: RunFolder, task: Task[Any], options: JudgeOptions, progress: Progress) -> Joined:
    """Judge a finished task of a run under every rubric asked for."""
    joined = Joined((), ())
    folder = checked(run, task)
    for rubric in options.rubrics_for(task.name):
        files = JudgeFolder.of(folder)
        client = options.client(files.replies)
        judge = options.judge(client, structured=_structured(client, rubric, options, files))
        record = Record(
            judge, rubric, options.max_unscored, audited(options.audit, judge, rubric), (options.price_in, options.price_out)
        )
        joined = judge_task(run, task, record, client, retry_unscored=options.retry_unscored, progress=progress)
        run.note({"judge": rubric.name, **client.recorded()})
    return joined


def _structured(client: Client, rubric: Rubric, options: JudgeOptions, files: JudgeFolder) -> bool:
    """Whether the endpoint takes a JSON schema: as it was found before, else by one request."""
    if options.format != "auto" or rubric.verbatim:
        return options.format == "json_schema"
    plain = options.judge(client, structured=False)
    for record in read_records(files.record):
        if record.rubric == rubric and replace(record.judge, asking=replace(record.judge.asking, structured=False)) == plain:
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
    from m3dbench.judge.audit import read_audit

    found = read_audit(folder)
    if found["signature"] != judge.signature(rubric):
        raise UserError(
            "the audit is of another judge: its identity differs",
            file=folder,
            fix=f"audit this one: {judge.signature(rubric)}",
        )
    return {"digest": found["digest"], "fit": found["fit"], "failed": found["failed"]}


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


def copy_audit(source: Path, run: Path) -> str:
    """Put an audit's report into the run, under its digest, so that it travels with it; gives the file's name."""
    content = json.loads((source / "audit.json").read_text(encoding="utf-8"))
    name = f"judge-audit-{content['digest'][:12]}"
    for suffix in ("json", "md"):
        (run / f"{name}.{suffix}").write_bytes((source / f"audit.{suffix}").read_bytes())
    return name
