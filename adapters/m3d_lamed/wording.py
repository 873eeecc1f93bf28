"""How requests are put to M3D-LaMed: one fixed phrase a kind, near those it was trained on.

The model has no chat template: the image's place holders, then the text. Off the trained phrasing its masks vanish, so
the wording is fixed here and does not follow the benchmark's. These few short phrases are the model's interface, as far
as we know it; those for boxes and regions are not confirmed on the published weights.
"""

from __future__ import annotations

from m3dbench.adapters.generation import question as in_words
from m3dbench.data.sample import Request
from m3dbench.metrics.box_text import box_to_text

IMAGE = "<im_patch>"
"""Stands for one vector of the volume."""
REPORT = "Please generate a medical report based on this image."
LOCATE = "Can you find the {} in this image? Please output the coordinates."
LOCATE_DESCRIBED = "{} Please answer and find it by box."
NAME_REGION = "What target is present within the coordinates {}?"
DESCRIBE_REGION = "What target is present within the coordinates {}? Please describe it."
IS_THERE = "Is there a {} in this image?"
SEGMENT = "Can you segment the {} in this image? Please output the mask."
SEGMENT_DESCRIBED = "{} Please answer and segment."


def question(request: Request, grid: tuple[int, int, int]) -> str:
    """The text of a request on a volume of ``grid`` (D, H, W). Raises ValueError for a kind the model cannot do."""
    match request.kind:
        case "locate" if request.target:
            return LOCATE.format(request.target)
        case "locate":
            return LOCATE_DESCRIBED.format(request.description or request.question)
        case "segment" if request.target:
            return SEGMENT.format(request.target)
        case "segment":
            # A data set's own question asks for the mask itself.
            return request.question or SEGMENT_DESCRIBED.format(request.description)
        case "name_region":
            return _region(request, grid)
    return in_words(request, REPORT)


def _region(request: Request, grid: tuple[int, int, int]) -> str:
    if request.box is None:
        return IS_THERE.format(request.target) if request.target else request.wording
    # The request itself does not say whether a name is wanted or a description too; its wording does.
    phrase = DESCRIBE_REGION if "escri" in request.wording else NAME_REGION
    return phrase.format(box_to_text(request.box, grid))


def words(request: Request, grid: tuple[int, int, int], *, verbatim: bool = False) -> str:
    """What follows the image's place holders: the text, after one space except for reports.

    verbatim: the request's own wording instead of the model's.
    """
    text = request.wording if verbatim else question(request, grid)
    return text if request.kind == "report" else f" {text}"


def prompt(request: Request, grid: tuple[int, int, int], image_tokens: int) -> str:
    """The whole prompt: ``image_tokens`` place holders, then the words."""
    return IMAGE * image_tokens + words(request, grid)
