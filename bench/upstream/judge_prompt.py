"""The messages of the reference's LLM judge, read as literals out of its script; nothing in it is ever run."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from m3dbench.errors import UserError
from m3dbench.upstream.literals import parse

PLACES = ("Bench/eval/eval_with_llm.py", "eval_with_llm.py")
PATTERN = r"Score: (\d+\.\d+)"
"""What the reference reads a score with (Q-LLM-1): it needs a decimal point."""
VALUES = {"answer": "reference", "pred": "prediction"}


@dataclass(frozen=True)
class JudgePrompt:
    """system: the system message. user: parts of the user message, see ``m3dbench.judge.rubric.Rubric.user``."""

    system: str
    user: tuple[tuple[str, str], ...]


def read_judge_prompt(checkout: Path) -> JudgePrompt:
    """The texts assigned to ``system`` and ``user`` in the script of a checkout, or in the script itself.

    Raises UserError when it is not there, when a message is not a text with the two values filled in, or when the
    pattern that the script reads scores with is not the one reproduced here.
    """
    file = checkout if checkout.is_file() else next((p for name in PLACES if (p := checkout / name).is_file()), None)
    if file is None:
        raise UserError(
            f"the reference's judge was not found (looked for {', '.join(PLACES)})",
            file=checkout,
            fix="give --templates a checkout of the M3D repository (github.com/BAAI-DCAI/M3D)",
        )
    found = {
        node.targets[0].id: node.value
        for node in ast.walk(parse(file))
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
    }
    system, user = (_parts(found.get(name), name, file) for name in ("system", "user"))
    if any(kind != "text" for kind, _ in system) or sorted(k for k, _ in user if k != "text") != [
        "prediction",
        "reference",
    ]:
        raise UserError("expected a reference and a prediction in the user message, each once", file=file)
    pattern = found.get("pattern")
    if not isinstance(pattern, ast.Constant) or pattern.value != PATTERN:
        raise UserError("reads scores with another pattern than the one reproduced here", file=file, field="pattern")
    return JudgePrompt("".join(text for _, text in system), user)


def _parts(value: ast.expr | None, name: str, file: Path) -> tuple[tuple[str, str], ...]:
    """A text or an f-string of plain names as parts."""
    nodes = value.values if isinstance(value, ast.JoinedStr) else [value]
    parts: list[tuple[str, str]] = []
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            parts.append(("text", node.value))
        elif (
            isinstance(node, ast.FormattedValue)
            and isinstance(node.value, ast.Name)
            and node.value.id in VALUES
            and node.conversion == -1
            and node.format_spec is None
        ):
            parts.append((VALUES[node.value.id], ""))
        else:
            raise UserError(
                "expected a plain text, filled in with `answer` and `pred` alone; nothing was run",
                file=file,
                record=f"line {getattr(node, 'lineno', '?')}",
                field=name,
                fix="give an unchanged checkout of the M3D repository",
            )
    return tuple(parts)


def upstream_score(reply: str) -> float | None:
    """The score that the reference reads: the first match anywhere, no check of its range; None for its ``NA``."""
    match = re.search(PATTERN, reply)
    return float(match.group(1)) if match else None
