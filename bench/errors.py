"""Errors that are the user's to mend, and the exit codes of the command line."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What a command's exit status says."""

    OK = 0
    ERRORS_OVER_BUDGET = 1
    FINDINGS = 1
    USAGE = 2
    NOTHING_TO_SCORE = 3
    BUDGET_REACHED = 4


class UserError(Exception):
    """Bad input or a wrong call: the message names the file, the record, the field and the fix.

    Shown without a traceback; the command exits with ``code``.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        record: str | None = None,
        field: str | None = None,
        fix: str | None = None,
        code: ExitCode = ExitCode.USAGE,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = str(file) if file is not None else None
        self.record = record
        self.field = field
        self.fix = fix
        self.code = code

    def __str__(self) -> str:
        places = (("file", self.file), ("record", self.record), ("field", self.field), ("fix", self.fix))
        return "\n".join([self.message, *(f"  {name}: {value}" for name, value in places if value)])


class DataError(UserError):
    """A volume, mask or record of the data set that cannot be read; in a run it becomes that sample's status.

    kind: what is wrong, a key of ``m3dbench.data.check.kinds``, by which `data check` counts.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        record: str | None = None,
        field: str | None = None,
        fix: str | None = None,
        code: ExitCode = ExitCode.USAGE,
        kind: str = "unreadable",
    ) -> None:
        super().__init__(message, file=file, record=record, field=field, fix=fix, code=code)
        self.kind = kind


def missing_extra(feature: str, extra: str) -> UserError:
    """The error for a feature whose optional packages are not installed."""
    return UserError(f"{feature} needs packages that are not installed.", fix=f"pip install 'm3dbench[{extra}]'")
