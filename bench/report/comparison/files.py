"""Comparisons as files: JSON, Markdown for people and job summaries, JUnit XML for CI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from m3dbench.report.comparison.result import Check, Paired, RunComparison, TaskComparison, Verdict, worst

SCHEMA = 1
MARKS: dict[Verdict, str] = {
    "pass": "✅ pass",
    "regression": "❌ regression",
    "inconclusive": "⚠️ inconclusive",
    "not comparable": "🚫 not comparable",
}
FLIPS_SHOWN = 10


def overall(compared: Sequence[RunComparison]) -> Verdict | None:
    """The verdict over all candidates, None where no gate was applied."""
    verdicts = [run.verdict for run in compared if run.verdict is not None]
    return worst(verdicts) if verdicts else None


def to_json(compared: Sequence[RunComparison]) -> dict[str, Any]:
    return {"schema": SCHEMA, "verdict": overall(compared), "comparisons": [run.to_json() for run in compared]}


def to_markdown(compared: Sequence[RunComparison]) -> str:
    lines: list[str] = []
    for run in compared:
        lines += [f"## {cell(run.candidate)} against {cell(run.base)}", ""]
        if run.verdict is not None:
            lines += [f"**{MARKS[run.verdict]}**", "", *_checks(run.checks)]
        for task in run.tasks:
            lines += _task(task)
    return "\n".join(lines) + "\n"


def _checks(checks: Sequence[Check]) -> list[str]:
    rows = [
        f"| {check.task} | {cell(check.name)} | {MARKS[check.verdict]} | {cell(check.found)} | "
        f"{cell(check.required)} | {cell(check.why)} |"
        for check in checks
    ]
    return ["| task | check | verdict | found | required | why |", "|---|---|---|---|---|---|", *rows, ""]


def _task(task: TaskComparison) -> list[str]:
    lines = [f"### {task.task}", ""]
    if task.not_comparable:
        return [*lines, f"Not comparable: {cell(task.not_comparable)}", ""]
    lines += [f"Compared although {name} differs (--allow).\n" for name in task.allowed]
    if task.identical:
        lines += ["Every prediction is the same.", ""]
    lines += [
        f"| metric | base | candidate | difference | {interval_title(task)} | p | better / worse / same | n (cases) |"
    ]
    lines += ["|---|---|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join(cell(text) for text in metric_cells(item, task.primary))} |" for item in task.metrics]
    if task.flips:
        lines += ["", f"<details><summary>{len(task.flips):,} samples changed</summary>", ""]
        lines += [f"- {cell(flip.id)}: {flip.base:.3f} → {flip.candidate:.3f}" for flip in task.flips[:FLIPS_SHOWN]]
        lines += ["", "</details>", ""]
    for what, why in task.skipped.items():
        lines.append(f"- {cell(what)} is not compared: {cell(why)}")
    return [*lines, ""]


def metric_cells(item: Paired, primary: str) -> list[str]:
    """A metric as a row for people: name, values, difference, interval, p, changes, denominators."""
    name = (
        item.metric
        + (" (upstream)" if item.scoring == "upstream" else "")
        + (" ↓" if item.direction == "lower" else "")
    )
    span = "–" if item.interval is None else f"{item.interval.low:+.3f} to {item.interval.high:+.3f}"
    return [
        f"{name} *" if item.metric == primary and item.scoring == "corrected" else name,
        _number(item.base, ".3f"),
        _number(item.candidate, ".3f"),
        _number(item.difference, "+.3f"),
        span,
        _p(item.p_two_sided),
        f"{item.wins:,} / {item.losses:,} / {item.ties:,}",
        f"{item.n_samples:,} ({item.n_cases:,})",
    ]


def interval_title(task: TaskComparison) -> str:
    """What heads the intervals: their level, which is the gate's where one was applied."""
    level = next((item.interval.level for item in task.metrics if item.interval is not None), None)
    return "interval" if level is None else f"{100 * level:.4g}% interval"


def _p(value: float | None) -> str:
    return "<0.001" if value is not None and value < 0.0005 else _number(value, ".3f")


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def cell(text: str) -> str:
    """Text that stays inside its Markdown cell and carries no markup of its own."""
    plain = " ".join(text.split())
    for mark, harmless in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("`", "\\`"), ("[", "\\[")):
        plain = plain.replace(mark, harmless)
    return plain


def to_junit(compared: Sequence[RunComparison]) -> bytes:
    """One suite a candidate, one case a check; whatever is not a pass fails, named by its verdict."""
    root = ElementTree.Element("testsuites", name="m3dbench")
    for run in compared:
        failed = [check for check in run.checks if check.verdict != "pass"]
        suite = ElementTree.SubElement(
            root, "testsuite", name=run.candidate, tests=str(len(run.checks)), failures=str(len(failed)), errors="0"
        )
        for check in run.checks:
            case = ElementTree.SubElement(suite, "testcase", classname=check.task, name=check.name)
            told = "; ".join(part for part in (f"found {check.found}", f"required {check.required}", check.why) if part)
            if check.verdict != "pass":
                ElementTree.SubElement(case, "failure", type=check.verdict, message=told)
            else:
                ElementTree.SubElement(case, "system-out").text = told
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"
