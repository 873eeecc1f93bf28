"""What a chat model is told: what the pictures are, the question, and the form that the answer should have."""

from __future__ import annotations

from collections.abc import Sequence

from m3dbench.data.sample import AnswerKind, Request
from m3dbench.data.slices import AXES, Slices
from m3dbench.metrics.box_convention import BoxConvention, Grid
from m3dbench.metrics.box_text import box_to_text
from m3dbench.metrics.pairs import Box

FORMS: dict[str, str] = {
    "choose": "Answer with the letter of the right choice, followed by a dot, and nothing else.",
    "answer": "Answer in a few words, without explanation.",
    "report": "Write the findings in plain sentences, without a title or advice.",
    "name_region": "Answer in one short sentence. Where what is asked about is not in the scan, say so.",
    "locate": "Answer with such six integers in square brackets and nothing else. Where it is not in the scan, say so.",
}
_COORDINATES = (
    "Boxes are six integers from 0 to 1000, [x0, y0, z0, x1, y1, z1], thousandths of the scan's extent: x from the left"
    " to the right edge of a slice, y from its top to its bottom, z from the first slice of the scan to the last."
)
_SEEN = {"d": "whd", "h": "wdh", "w": "hdw"}


def convention(how: Slices) -> BoxConvention:
    """Boxes as the pictures show them: x to the right, y downwards, z across slices, in thousandths."""
    return BoxConvention(axes=_SEEN[how.axis], unit="per_1000", upper="exclusive", form="corners")


def flipped(box: Box, how: Slices) -> Box:
    """A canonical box of the stored volume as one of the shown volume, and the other way round."""
    pairs = [
        (1 - box[axis + 3], 1 - box[axis]) if name in how.flip else (box[axis], box[axis + 3])
        for axis, name in enumerate(AXES)
    ]
    (d0, d1), (h0, h1), (w0, w1) = pairs
    return (d0, h0, w0, d1, h1, w1)


def prompt(
    request: Request, answer: AnswerKind, how: Slices | None, shown: Sequence[int], grid: Grid, form: str
) -> str:
    """The text of the one user turn. shown: the indices of the slices in the pictures; how: None without pictures."""
    parts = [_pictures(how, shown, grid)] if how is not None else []
    question = request.wording
    if how is not None and (answer == "box" or request.box is not None):
        parts.append(_COORDINATES)
    if how is not None and request.box is not None:
        question = _placed(question, request.box, how, grid)
    return "\n".join([*parts, question, form or FORMS.get(request.kind, "")]).strip()


def _pictures(how: Slices, shown: Sequence[int], grid: Grid) -> str:
    total = grid[AXES.index(how.axis)]
    which = ", ".join(str(index + 1) for index in shown)
    what = "The picture shows" if how.montage else "The pictures show"
    order = ", row by row" if how.montage else ", in this order"
    windows = f", each in {len(how.windows)} grey scales" if len(how.windows) > 1 else ""
    return f"{what} slices {which} of the {total} slices of one scan{order}{windows}."


def _placed(question: str, box: Box, how: Slices, grid: Grid) -> str:
    """The question with its box in the declared convention."""
    ours = convention(how)
    numbers = [round(value) for value in ours.from_canonical(flipped(box, how), grid)]
    stored = box_to_text(box, grid)
    return question.replace(stored, str(numbers)) if stored in question else f"{question} The box is {numbers}."
