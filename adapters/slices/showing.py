"""From a query to the pictures and the sentence that a general model is given, and from its answer to a box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from m3dbench.adapter import Query
from m3dbench.adapters.slices import prompts
from m3dbench.data.sample import AnswerKind
from m3dbench.data.slices import AXES, Picture, Slices, Window, indices, pictures
from m3dbench.errors import UserError
from m3dbench.metrics.box_convention import BoxConvention
from m3dbench.metrics.box_text import box_from_text
from m3dbench.metrics.pairs import Box

TASKS = frozenset({"vqa_closed", "vqa_open", "report_generation", "reg", "rec"})
UPSTREAM = "upstream"
UPSTREAM_COUNTS = {"report": 10}
UPSTREAM_COUNT = 5
UPSTREAM_TOKENS = 300


@dataclass(frozen=True)
class Showing:
    """How volumes are shown (None: not at all), and what stands in the place of our sentence on the answer's form."""

    how: Slices | None
    instruction: str = ""

    @staticmethod
    def of(slices: str, axis: str, window: str, size: int, montage: int, flip: str, instruction: str = "") -> Showing:
        """From an adapter's options. slices: how many, ``upstream``, or ``none``. Raises UserError."""
        return Showing(slices_of(slices, axis, window, size, montage, flip), instruction)

    @property
    def tasks(self) -> frozenset[str]:
        """The tasks that can be asked; boxes are places in pictures."""
        return TASKS if self.how is not None else TASKS - {"rec", "reg"}

    @property
    def boxes(self) -> BoxConvention:
        """Of boxes in answers; without pictures nobody asks for any."""
        return prompts.convention(self.how) if self.how is not None else BoxConvention()

    def facts(self) -> Mapping[str, Any]:
        return {"slices": None if self.how is None else repr(self.how), "instruction": self.instruction}

    def pictures(self, volume: npt.NDArray[Any], kind: str) -> list[Picture]:
        """What a request of this kind shows of a volume (1, D, H, W)."""
        return [] if self.how is None else pictures(volume, for_kind(self.how, kind))

    def text(self, query: Query, answer: AnswerKind) -> str:
        """The text of the one user turn."""
        how, grid = self.how and for_kind(self.how, query.request.kind), query.grid()
        shown = indices(grid[AXES.index(how.axis)], how.count, how.rule) if how is not None else []
        return prompts.prompt(query.request, answer, how, shown, grid, self.instruction)

    def box(self, query: Query, said: str) -> Box | None:
        """The box in an answer where the pictures were flipped, in ``boxes`` of the stored volume. None leaves the text
        to the engine."""
        if self.how is None or not self.how.flip:
            return None
        grid = query.grid()
        read = box_from_text(said, convention=self.boxes, grid=grid).box
        return None if read is None else self.boxes.from_canonical(prompts.flipped(read, self.how), grid)


def slices_of(slices: str, axis: str, window: str, size: int, montage: int, flip: str) -> Slices | None:
    """How pictures are made; None without pictures (``slices=none``)."""
    if slices == "none":
        return None
    common = Slices(axis=axis, windows=windows_of(window), size=size, montage=montage, flip=flip)
    if slices == UPSTREAM:
        return replace(common, rule="upstream")
    if not slices.isdigit() or int(slices) < 1:
        raise UserError(f"{slices!r} is no number of slices", field="slices", fix="a number, upstream, or none")
    return replace(common, count=int(slices))


def windows_of(window: str) -> tuple[Window, ...]:
    """Windows with commas between them."""
    return tuple(Window.parse(text) for text in window.split(","))


def for_kind(how: Slices, kind: str) -> Slices:
    """The reference shows more slices for a report than for a question."""
    return replace(how, count=UPSTREAM_COUNTS.get(kind, UPSTREAM_COUNT)) if how.rule == "upstream" else how
