"""Training cases drawn without end from the phantom's own code, and why no split of any phantom can hold one of them.

The phantom draws a case from its seed and its id alone, through a hash of both. Every id of a data set, whatever its
seed, starts with a folder of M3D's layout (``ct_case/``, ``ct_quizze/``, ``0003/``, ``0011/``, ``0012/``, ``RefSeg/``).
Every id here starts with ``tiny/``. So a training case shares its stream of draws with no case of any split, even under
the same seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from m3dbench.data.phantom import SMALL_GRID, Case, Facts, draw, facts_of, resample

Preparation = Literal["cap", "seg", "refseg"]
PREPARATIONS: tuple[Preparation, ...] = ("cap", "cap", "seg", "cap", "refseg")
"""How volume i is prepared, by i modulo 5: M3D-Cap's pictures in all planes, M3D-Seg's and M3D-RefSeg's axial ones."""

FOLDER = "tiny"
GRID = SMALL_GRID
_STEPS = 255


@dataclass(frozen=True)
class TrainingCase:
    """One volume with everything that is true of it.

    image: uint8 (D, H, W), the prepared volume times 255. case: its facts, and ``labels`` cropped, resized and, for
    M3D-RefSeg, transposed like the image; ``hu`` is empty.
    """

    number: int
    image: npt.NDArray[np.uint8]
    case: Case

    @property
    def preparation(self) -> Preparation:
        return PREPARATIONS[self.number % len(PREPARATIONS)]

    @property
    def facts(self) -> Facts:
        return self.case.facts

    @cached_property
    def volume(self) -> npt.NDArray[np.float32]:
        """float32 (1, D, H, W) in [0, 1]."""
        return np.asarray(self.image, dtype=np.float32)[None] / np.float32(_STEPS)


def facts_for(number: int, seed: int) -> Facts:
    """The facts of training case ``number``: of its first series, or an axial one; M3D-RefSeg always has findings."""
    preparation = PREPARATIONS[number % len(PREPARATIONS)]
    plane = None if preparation == "cap" else "Axial"
    attempt = 0
    while True:
        facts = facts_of(f"{FOLDER}/{attempt}/{number:08d}", seed=seed, plane=plane)  # type: ignore[arg-type]
        if facts.findings or preparation != "refseg":
            return facts
        attempt += 1


def draw_case(number: int, seed: int) -> TrainingCase:
    """Training case ``number``, prepared as the phantom data set prepares such a volume."""
    facts = facts_for(number, seed)
    drawn = draw(facts.case, seed=seed, grid=GRID, plane=facts.plane)
    preparation = PREPARATIONS[number % len(PREPARATIONS)]
    labels = drawn.labels
    if preparation == "cap":
        values = resample.unit(resample.picture(drawn.hu, facts.setting))
    elif preparation == "seg":
        values = resample.unit(resample.z_score(drawn.hu))
    else:
        values, labels = resample.percentile_clip(drawn.hu.transpose(0, 2, 1)), labels.transpose(0, 2, 1)
    box = resample.foreground(values)
    image = np.rint(resample.fit(values, GRID)[0] * _STEPS).astype(np.uint8)
    return restored(number, facts, image, np.ascontiguousarray(resample.nearest(labels[box], GRID)))


def restored(number: int, facts: Facts, image: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> TrainingCase:
    """A training case from its arrays."""
    empty = np.zeros((0, 0, 0), dtype=np.int16)
    return TrainingCase(number, image, Case(facts, GRID, (1.0, 1.0, 1.0), empty, labels))
