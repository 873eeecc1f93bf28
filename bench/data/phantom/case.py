"""One case of the phantom: drawn from a seed and an id alone, without end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from . import resample
from .anatomy import FIELD_MM, body_of
from .definitions import DEFINITIONS
from .density import Hounsfield, densities, hounsfield
from .draws import Draws
from .facts import Facts, facts_of
from .labels import CLASSES, ORGANS, Tissue
from .questions import Question, questions_of
from .raster import Labels, Plane, rasterise
from .report import report_of

SMALL_GRID = (24, 64, 64)
FULL_GRID = (32, 256, 256)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Case:
    """A case on a grid.

    ``hu``: int16 (D, H, W), HU; ``labels``: uint8 (D, H, W), values of ``labels.Tissue``, finding i as 100 + i;
    ``spacing``: mm per voxel (D, H, W). What D, H and W run along depends on the plane, see ``raster.rasterise``.
    """

    facts: Facts
    grid: tuple[int, int, int]
    spacing: tuple[float, float, float]
    hu: Hounsfield = field(repr=False)
    labels: Labels = field(repr=False)

    @cached_property
    def report(self) -> str:
        """The raw report of the case, shared by all its series."""
        return report_of(self.facts)

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        return questions_of(self.facts)

    @property
    def definitions(self) -> Mapping[str, tuple[str, ...]]:
        return MappingProxyType(DEFINITIONS)

    @property
    def image(self) -> npt.NDArray[np.float32]:
        """The series as prepared for M3D-Cap: float32 (1, D, H, W) in [0, 1], cropped to the foreground and resized."""
        return resample.fit(resample.unit(resample.picture(self.hu, self.facts.setting)), self.grid)

    def organ(self, name: str) -> Mask:
        """Voxels (D, H, W) of an elementary organ (a key of ``labels.ORGANS``), its findings included."""
        codes = list(ORGANS[name])
        codes += [Tissue.FIRST_FINDING + i for i, finding in enumerate(self.facts.findings) if finding.organ == name]
        table = np.zeros(256, dtype=np.bool_)
        table[codes] = True
        return np.asarray(table[self.labels])

    def mask(self, name: str) -> Mask:
        """Voxels (D, H, W) of a class (a key of ``labels.CLASSES``). Raises ``KeyError`` for any other name."""
        result = np.zeros(self.grid, dtype=np.bool_)
        for organ in CLASSES[name]:
            result |= self.organ(organ)
        return result

    @property
    def masks(self) -> dict[str, Mask]:
        """All classes by name, each (D, H, W); absent ones are all False."""
        return {name: self.mask(name) for name in CLASSES}

    def finding_mask(self, index: int) -> Mask:
        """Voxels (D, H, W) of one finding; at least one unless the finding is out of view or under another one."""
        return np.asarray(self.labels == Tissue.FIRST_FINDING + index)


def draw(
    case_id: str,
    *,
    seed: int = 0,
    grid: tuple[int, int, int] = SMALL_GRID,
    plane: Plane | None = None,
    setting: str | None = None,
) -> Case:
    """Draw a case on a grid (D, H, W): the same for the same arguments on every machine, for any id.

    Without ``plane`` and ``setting`` it is the case's first series; all series of a case show the same body.
    Raises ``ValueError`` for a grid with fewer than 8 voxels on an axis or an unknown phase or window.
    """
    if min(grid) < 8:
        raise ValueError(f"the grid {grid} is too small to hold a body: at least 8 voxels on each axis")
    body = body_of(case_id, seed)
    facts = facts_of(case_id, seed=seed, plane=plane, setting=setting, body=body)
    labels = rasterise(body, facts.findings, grid, facts.plane)
    z, y, x = body.span[1] - body.span[0], FIELD_MM[1], FIELD_MM[2]
    lengths = {"Axial": (z, y, x), "Coronal": (y, z, x), "Sagittal": (x, z, y)}[facts.plane]
    spacing = (lengths[0] / grid[0], lengths[1] / grid[1], lengths[2] / grid[2])
    noise = Draws(seed, case_id, "noise", facts.plane, facts.setting)
    hu = hounsfield(labels, densities(facts.findings, facts.phase, body.fatty), noise, spacing)
    return Case(facts, grid, spacing, hu, labels)
