"""The embedded default data: synthetic CT-like volumes of the trunk with reports, questions, masks and boxes.

``make`` writes a whole data set in M3D's prepared layout; ``draw`` draws any one case, without end. Everything follows
from a seed and the case's id. Nothing here is a patient, and no result on it says anything about a model's worth.
"""

from .case import FULL_GRID, SMALL_GRID, Case, draw
from .definitions import DEFINITIONS
from .facts import SETTINGS, Facts, facts_of
from .findings import KINDS, Finding
from .labels import CLASSES, DATASETS, ORGANS
from .make import MARKER, VERSION, make, marker
from .questions import Question, questions_of
from .raster import PLANES

__all__ = [
    "CLASSES",
    "DATASETS",
    "DEFINITIONS",
    "FULL_GRID",
    "KINDS",
    "MARKER",
    "ORGANS",
    "PLANES",
    "SETTINGS",
    "SMALL_GRID",
    "VERSION",
    "Case",
    "Facts",
    "Finding",
    "Question",
    "draw",
    "facts_of",
    "make",
    "marker",
    "questions_of",
]
