"""From the adapter's options to values that can be right."""

from __future__ import annotations

from dataclasses import replace

from m3dbench.data.slices import Slices, Window
from m3dbench.errors import UserError

UPSTREAM = "upstream"
UPSTREAM_COUNTS = {"report": 10}
UPSTREAM_COUNT = 5
UPSTREAM_TOKENS = 300
DETAILS = ("", "low", "high", "auto")


def slices_of(slices: str, axis: str, window: str, size: int, montage: int, flip: str) -> Slices | None:
    """How pictures are made; None without pictures (``slices=none``)."""
    if slices == "none":
        return None
    windows = tuple(Window.parse(text) for text in window.split(","))
    common = Slices(axis=axis, windows=windows, size=size, montage=montage, flip=flip)
    if slices == UPSTREAM:
        return replace(common, rule="upstream")
    if not slices.isdigit() or int(slices) < 1:
        raise UserError(f"{slices!r} is no number of slices", field="slices", fix="a number, upstream, or none")
    return replace(common, count=int(slices))


def for_kind(how: Slices, kind: str) -> Slices:
    """The reference shows more slices for a report than for a question."""
    return replace(how, count=UPSTREAM_COUNTS.get(kind, UPSTREAM_COUNT)) if how.rule == "upstream" else how


def number(text: str, field: str) -> float | None:
    """A number, or None for ``none``. Raises UserError for anything else."""
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{text!r} is no number", field=field, fix="a number, or none") from error
