"""The values that metrics judge: a prediction beside its reference, with nothing of files, models or tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float, float, float]
MaskArray = npt.NDArray[np.bool_]

DEFAULT_GRID = (32, 256, 256)
"""The grid (D, H, W) of M3D-Data's prepared volumes."""


@dataclass(frozen=True, slots=True)
class TextPair:
    """Free text. ``names``: accepted names of the class (REG), canonical first; ``present``: is it in the volume."""

    prediction: str
    reference: str
    names: tuple[str, ...] = ()
    present: bool = True


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """Free text for a language model to judge. ``question``: what was asked, empty where it is the same for all."""

    prediction: str
    reference: str
    question: str = ""


@dataclass(frozen=True, slots=True)
class ChoicePair:
    """A choice among lettered options. ``answer``: the reference's letter; ``choices``: offered letter -> text."""

    prediction: str
    answer: str
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BoxPair:
    """Boxes as half-open fractions of the grid (d0, h0, w0, d1, h1, w1), None when absent.

    ``prediction_text`` and ``reference_text`` are the same answers as text in the reference's own convention (inclusive
    maximum, three digits): what ``upstream`` scoring reads. ``grid`` is (D, H, W). ``unparsed`` marks an answer that is
    neither a box nor a statement of absence.
    """

    prediction: Box | None
    reference: Box | None
    prediction_text: str = ""
    reference_text: str = ""
    grid: tuple[int, int, int] = DEFAULT_GRID
    unparsed: bool = False


@dataclass(frozen=True, slots=True)
class MaskPair:
    """Hard masks (D, H, W), None for no mask. ``soft`` is (sum p, sum p*g) of the probabilities p where the model gave
    them; else the hard mask stands for p. ``spacing`` is mm per voxel (D, H, W), None when unknown."""

    prediction: MaskArray | None
    reference: MaskArray
    soft: tuple[float, float] | None = None
    spacing: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a query's relevant items lie among its pool, ordered by similarity.

    better: items strictly more similar than every relevant one. tied: items as similar as the best relevant one, itself
    included; relevant: how many of those are relevant. own_within: the k of ``m3dbench.metrics.ranking.UPSTREAM_K`` at
    which the reference's ``topk`` holds the query's own item.
    """

    better: int
    tied: int
    relevant: int
    own_within: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RetrievalPair:
    """An image and its text as queries into the texts and the images of a pool; None where the query failed.

    pool: planned pairs of the pool. matches: those of them with the same normalised text, this one included.
    """

    image_to_text: Place | None
    text_to_image: Place | None
    pool: int
    matches: int
