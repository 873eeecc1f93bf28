"""Requests worded as M3D-LaMed was trained: off its few sentences the masks vanish.

One sentence a kind is a fact about the model's interface (as is the report's missing space); anything that a data set
says itself (questions, descriptions) is passed on as it is.
"""

from __future__ import annotations

from m3dbench.data.sample import Request
from m3dbench.metrics.box_convention import Grid
from m3dbench.metrics.box_text import box_to_text

VERSION = "1"
"""Raised when a sentence changes."""
REPORT = "Please generate a medical report based on this image."
LOCATE_NAME = "Can you find the {} in this image? Give coordinates."
LOCATE_DESCRIBED = "Description: {} Please answer and find it by box based on the above description."
LOCATE_ASKED = "{} Please output the bounding box."
SEGMENT_NAME = "Can you segment the {} in this image? Please output the mask."
SEGMENT_DESCRIBED = "{} Please answer and segment."
NAME_REGION = "What target is present within the coordinates {}?"


def worded(request: Request, grid: Grid, *, verbatim: bool = False) -> str:
    """What follows a volume's placeholders: a report's sentence directly, anything else after one space.

    grid: the model's (D, H, W), in whose voxels a box is written. verbatim: the request's own wording, as it is.
    Raises ValueError for a kind that the model was not trained on.
    """
    sentence = request.wording if verbatim else _sentence(request, grid)
    return sentence if request.kind == "report" else f" {sentence}"


def _sentence(request: Request, grid: Grid) -> str:
    if request.kind == "report":
        return REPORT
    if request.kind == "choose":
        choices = " ".join(f"{letter}. {text}" for letter, text in request.choices.items())
        return f"{request.question} Choices: {choices}"
    if request.kind == "answer":
        return request.question
    if request.kind == "name_region" and request.box is not None:
        return NAME_REGION.format(box_to_text(request.box, grid))
    if request.kind == "segment":
        return _meant(request, SEGMENT_NAME, SEGMENT_DESCRIBED, "{}")
    if request.kind in ("locate", "name_region"):  # a class that is not there has no box to show: asked for like one
        return _meant(request, LOCATE_NAME, LOCATE_DESCRIBED, LOCATE_ASKED)
    raise ValueError(f"M3D-LaMed was not trained to {request.kind}")


def _meant(request: Request, by_name: str, by_description: str, by_question: str) -> str:
    if request.target:
        return by_name.format(request.target)
    if request.description:
        return by_description.format(request.description)
    return by_question.format(request.question or request.wording)
