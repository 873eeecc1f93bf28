"""The terminal: errors, progress with rate and time left."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from m3dbench.errors import UserError
from m3dbench.progress import Advance, Title

out = Console()
PLAIN: dict[str, Any] = {"highlight": False, "soft_wrap": True, "markup": False}
err = Console(stderr=True)


def show_error(error: UserError) -> None:
    """The message, then file, record, field and fix, one a line."""
    first, *rest = str(error).splitlines()
    err.print(f"[bold red]Error:[/] {escape(first)}", highlight=False, soft_wrap=True)
    for line in rest:
        err.print(escape(line), highlight=False, soft_wrap=True)


def warn(message: str) -> None:
    """A warning on standard error."""
    err.print(f"[yellow]Note:[/] {escape(message)}", highlight=False, soft_wrap=True)


def show_warnings() -> None:
    """From now on, warnings of the package's loggers (adapters') go to standard error."""
    log = logging.getLogger("m3dbench")
    if not any(isinstance(handler, _Warnings) for handler in log.handlers):
        log.addHandler(_Warnings(logging.WARNING))


class _Warnings(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        warn(record.getMessage())


class Rate(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="progress.data.speed")


class Bars:
    """Progress bars on standard error, one a stage."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=err,
            transient=True,
        )

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextlib.contextmanager
    def stage(self, title: Title, total: int | None) -> Iterator[Advance]:
        """See ``m3dbench.progress.Progress``."""

        def told() -> str:
            return escape(title if isinstance(title, str) else title())

        bar = self._progress.add_task(told(), total=total)
        try:
            yield lambda steps: self._progress.update(bar, advance=steps, description=told())
        finally:
            self._progress.remove_task(bar)
