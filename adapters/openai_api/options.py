"""From the adapter's options to values that can be right."""

from __future__ import annotations

from m3dbench.errors import UserError

DETAILS = ("", "low", "high", "auto")


def number(text: str, field: str) -> float | None:
    """A number, or None for ``none``. Raises UserError for anything else."""
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{text!r} is no number", field=field, fix="a number, or none") from error
