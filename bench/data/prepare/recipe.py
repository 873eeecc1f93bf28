"""What may be chosen of a preparation, and what a case of it is: values that go to other processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from m3dbench.errors import UserError

RecipeName = Literal["upstream", "corrected"]
VERSION = 1
Grid = tuple[int, int, int]
FULL_GRID: Grid = (32, 256, 256)


@dataclass(frozen=True)
class Recipe:
    """How volumes are prepared. name: ``upstream`` repeats the reference's steps bit for bit, ``corrected`` leaves out
    their faults. grid: (D, H, W) in voxels; the reference knows 32 x 256 x 256 only. series: which one to take
    of a DICOM folder with several, see ``read_scan``."""

    name: RecipeName = "upstream"
    grid: Grid = FULL_GRID
    series: str | None = None

    def __post_init__(self) -> None:
        if len(self.grid) != 3 or min(self.grid) < 1:
            raise UserError(f"the grid {self.grid} is not three positive sizes", field="grid", fix="such as 32,256,256")

    @property
    def upstream(self) -> bool:
        return self.name == "upstream"

    @property
    def identity(self) -> str:
        """What must be equal for a finished case to be kept: ``upstream/1/32x256x256``."""
        parts = [self.name, str(VERSION), "x".join(map(str, self.grid))]
        return "/".join([*parts, f"series {self.series}"] if self.series else parts)


@dataclass(frozen=True)
class Job:
    """One case. target: its folder, relative to the data directory, replaced as a whole. inputs: what is read, by name:
    a file, or a folder with everything in it. options: what else the kind needs to know."""

    name: str
    target: str
    inputs: Mapping[str, Path]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Written:
    """What was made of a case. outputs: file, relative to the target, to its SHA-256. notes: what a user should know,
    each a sentence. failed: parts that could not be made (a series of a case), to the reason. facts: counts for the
    manifest."""

    outputs: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failed: dict[str, UserError] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


class Preparation(Protocol):
    """One kind of data. Instances go to other processes, so they hold plain values only."""

    kind: ClassVar[str]

    @property
    def recipe(self) -> Recipe: ...

    def jobs(self) -> list[Job]:
        """The cases found, in a stable order. Raises UserError when the source has none."""
        ...

    def write(self, job: Job, folder: Path) -> Written:
        """Make one case in an empty folder. Raises UserError for a case that cannot be made."""
        ...

    def finish(self, directory: Path, finished: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[str]]:
        """Write what belongs to all cases together (split files, tables); ``finished``: record by case. Returns the
        files written, relative to the directory, and notes."""
        ...
