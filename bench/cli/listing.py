"""``m3dbench list``: what is installed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from m3dbench.errors import UserError


class What(StrEnum):
    """What can be listed."""

    TASKS = "tasks"
    MODELS = "models"
    METRICS = "metrics"
    DATASETS = "datasets"


def listing(what: Annotated[What, typer.Argument(help="What to list.")] = What.TASKS) -> None:
    """List tasks, models, metrics or data sets, the plug-ins of other packages included."""
    from m3dbench import registry
    from m3dbench.cli.console import PLAIN, out

    group: registry.Group = "adapters" if what is What.MODELS else what.value  # type: ignore[assignment]
    points = registry.available(group)
    width = max(map(len, points), default=0)
    for name in points:
        try:
            told = describe(registry.load(group, name), group)
        except UserError as error:  # one broken plug-in must not hide the others
            told = f"({error.message})"
        out.print(f"{name:<{width}}  {told}", **PLAIN)


def describe(found: Any, group: str) -> str:
    """One line on an entry: for models the tasks they declare, else the first line of the docstring."""
    if group == "adapters":
        return ", ".join(sorted(found.tasks))
    if group == "tasks":
        return f"{found.title}: {found.answer} answers, judged by {found.primary} ({found.version})"
    return str(found.__doc__ or "").strip().split("\n")[0]
