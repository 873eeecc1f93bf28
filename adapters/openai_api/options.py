"""From the adapter's options to values that can be right."""

from __future__ import annotations

import math

from m3dbench.errors import UserError

DETAILS = ("", "low", "high", "auto")
LIMITS = ("max_tokens", "max_completion_tokens")


def number(text: str, field: str) -> float | None:
    """A number, or None for ``none``. Raises UserError for anything else."""
    if text == "none":
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{text!r} is no number", field=field, fix="a number, or none")
    return value
