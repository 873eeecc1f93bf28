"""The audit of a judge: whether its scores mean what they seem to mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from m3dbench.chat.client import Client
from m3dbench.data.manifest import canonical, read_samples
from m3dbench.data.seeds import generator
from m3dbench.errors import UserError
from m3dbench.judge.audit_report import to_markdown
from m3dbench.judge.checks import checks
from m3dbench.judge.folder import usage
from m3dbench.judge.identity import Judge
from m3dbench.judge.material import Case
from m3dbench.judge.probes import Amount, Probe, Rating, probes
from m3dbench.judge.rubric import Rubric
from m3dbench.judge.runner import run_items
from m3dbench.metrics.judge import component_values
from m3dbench.progress import Progress, Silent
from m3dbench.runs import jsonl
from m3dbench.runs.folder import RunFolder

SCHEMA = 1
JOURNAL, REPLIES, DOCUMENT, PAGE = "audit.jsonl", "audit.replies.jsonl", "audit.json", "audit.md"
EXAMPLES = 8


@dataclass(frozen=True)
class AuditPlan:
    """What is asked in an audit. cases: references, of which errors, parts and attacks are made. ratings: people's."""

    cases: tuple[Case, ...]
    ratings: tuple[Rating, ...] = ()
    amount: Amount = field(default_factory=Amount)
    max_unscored: float = 0.02
    source: str = "shipped"


def cases_of_run(run: RunFolder, task: str, count: int, seed: int) -> list[Case]:
    """References of a run's task, ``count`` of different cases, drawn by the seed."""
    run.insist(task)
    samples = [s for s in read_samples(run.task(task).manifest) if s.reference.text.strip() and not s.excluded]
    order = generator(seed, "judge audit", task).permutation(len(samples))
    found: dict[str, Case] = {}
    texts: set[str] = set()
    for place in order:
        sample = samples[place]
        text = sample.reference.text
        if sample.case not in found and text not in texts and len(found) < count:
            texts.add(text)
            found[sample.case] = Case(sample.case, text, sample.request.question)
    if len(found) < 2:
        raise UserError("has fewer than two cases with different references", file=run.path, field="--run")
    return list(found.values())


def audit(
    plan: AuditPlan, judge: Judge, rubric: Rubric, client: Client, out: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Ask everything of the plan that ``out`` does not hold yet; write and return the report."""
    found = probes(plan.cases, plan.ratings, judge, rubric, plan.amount)
    items = {probe.item.key: probe.item for probe in found}
    journal = out / JOURNAL
    with (progress or Silent()).stage(f"auditing {judge.model}", len(items)) as advance:
        run_items(items.values(), client, journal, advance)
    rows = {row["id"]: row for row in jsonl.read(journal)}
    # Answers to an audit that asked other things were paid for too, and stay behind those of this one.
    order = [*items, *(key for key in rows if key not in items)]
    jsonl.replace(journal, b"".join(jsonl.line(rows[key]) for key in order))
    (out / REPLIES).unlink(missing_ok=True)
    values = {key: _value(rows[key], rubric) for key in items}
    content = _content(plan, judge, rubric, found, values, rows, usage(rows[key] for key in items))
    jsonl.write_document(out / DOCUMENT, content)
    jsonl.replace(out / PAGE, to_markdown(content).encode())
    return content


def _value(row: Mapping[str, Any], rubric: Rubric) -> float | None:
    if row["status"] != "scored":
        return None
    return component_values(rubric.kind, row["verdict"], rubric.scale)[""]


def _content(
    plan: AuditPlan,
    judge: Judge,
    rubric: Rubric,
    found: Sequence[Probe],
    values: Mapping[str, float | None],
    rows: Mapping[str, Mapping[str, Any]],
    used: Mapping[str, Any],
) -> dict[str, Any]:
    made = checks(found, values, plan.max_unscored)
    failed = [check.name for check in made if check.passed is False]
    lacking = [
        {"asked": probe.item.name, "reason": f"{row['failure']}: {row['reason']}", "reply": _last(row)}
        for probe in found
        if (row := rows[probe.item.key])["status"] == "unscored"
    ]
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "fit": not failed,
        "failed": failed,
        "compared_with_people": bool(plan.ratings),
        "signature": judge.signature(rubric),
        "judge": judge.facts(rubric),
        "rubric": {"name": rubric.name, "version": rubric.version, "title": rubric.title},
        "cases": {"source": plan.source, "count": len(plan.cases), "ratings": len(plan.ratings)},
        "repeats": plan.amount.repeats,
        "usage": dict(used),
        "checks": [asdict(check) for check in made],
        "without_verdict": lacking[:EXAMPLES],
    }
    plain: dict[str, Any] = json.loads(canonical(content))
    return {"digest": hashlib.sha256(canonical(plain).encode()).hexdigest(), **plain}


def _last(row: Mapping[str, Any]) -> str:
    text: str = row["replies"][-1]["text"] if row["replies"] else ""
    return " ".join(text.split())[:200]


def read_audit(folder: Path) -> dict[str, Any]:
    """The report in an audit's folder. Raises UserError when there is none, or when it was changed since."""
    path = folder / DOCUMENT
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        plain = {name: value for name, value in content.items() if name != "digest"}
        whole = content["digest"] == hashlib.sha256(canonical(plain).encode()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError("holds no audit of a judge", file=path, fix="m3dbench judge audit --out DIR") from error
    if not whole:
        raise UserError("was changed after the audit wrote it", file=path, fix="repeat the audit")
    return content
