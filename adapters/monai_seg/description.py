"""What a segmentation network is, and how it sees a volume: the content of its TOML file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from m3dbench.errors import UserError

PAGE = "docs/model-monai-seg.md"
Positive = Annotated[float, Field(gt=0)]
Size = Annotated[int, Field(ge=1)]
Channel = Annotated[int, Field(ge=0, strict=True)]
_AXES = ("RL", "AP", "SI")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Network(_Strict):
    """A class of ``monai.networks.nets`` with its arguments."""

    kind: str = Field(alias="class")
    arguments: dict[str, Any] = Field(default_factory=dict)

    @field_validator("kind")
    @classmethod
    def _a_name(cls, value: str) -> str:
        if not value.isidentifier():
            raise ValueError(f"{value!r} is not the bare name of a class in monai.networks.nets, such as SegResNet")
        return value


class Weights(_Strict):
    """file: relative to the description. prefix: what stands before every name ("net."). unused, missing: patterns of
    whole names that the file may hold without use, and that it may lack (they become zeros)."""

    file: str = Field(min_length=1)
    prefix: str = ""
    unused: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @field_validator("unused", "missing")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return value


class Input(_Strict):
    """What the network takes; sizes and lengths in the order of its own axes.

    orientation: where its three axes lead to, as in MONAI's ``Orientation``. spacing: mm per voxel, or size: a fixed
    grid; neither: the data's own. window: the HU that become ``range``, clipped there; without one the values stored,
    0..1. normalise: after that, over the whole volume.
    """

    orientation: str = "RAS"
    spacing: tuple[Positive, Positive, Positive] | None = None
    size: tuple[Size, Size, Size] | None = None
    window: tuple[float, float] | None = None
    range: tuple[float, float] = (0.0, 1.0)
    clip: bool = True
    normalise: Literal["none", "minmax", "zscore", "zscore_nonzero"] = "none"

    @field_validator("orientation")
    @classmethod
    def _three_axes(cls, value: str) -> str:
        if sorted(next((pair for pair in _AXES if letter in pair), "") for letter in value) != sorted(_AXES):
            raise ValueError("expected one letter each of R or L, A or P, S or I, such as RAS")
        return value

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.spacing is not None and self.size is not None:
            raise ValueError("give spacing or size, not both")
        if self.window is not None and self.window[0] >= self.window[1]:
            raise ValueError(f"the window {list(self.window)} is empty: give [low, high] in HU")
        return self


class Sliding(_Strict):
    """MONAI's sliding window: its size in the order of the network's axes, how far windows overlap, how their
    results are weighted, and how many are taken at once."""

    size: tuple[Size, Size, Size]
    overlap: float = Field(default=0.25, ge=0, lt=1)
    mode: Literal["constant", "gaussian"] = "constant"
    batch: Size = 1


class Description(_Strict):
    """labels: class name -> the output channel, or channels, that are it. activation: of the channels, ``softmax`` for
    classes that exclude each other (with a background channel), ``sigmoid`` for those that do not."""

    network: Network
    weights: Weights
    labels: dict[str, tuple[Channel, ...]] = Field(min_length=1)
    input: Input = Input()
    sliding: Sliding
    activation: Literal["softmax", "sigmoid"] = "softmax"

    @field_validator("labels", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            name: channels if isinstance(channels, list | tuple) else [channels] for name, channels in value.items()
        }

    @field_validator("labels")
    @classmethod
    def _filled(cls, value: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        if empty := [name for name, channels in value.items() if not name.strip() or not channels]:
            raise ValueError(f"{empty[0]!r} has no name or no channel")
        return value


def read_description(path: Path) -> Description:
    """The description in a TOML file. Raises UserError naming the file, the field and the fix."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"is not valid TOML: {error}", file=path, fix=f"see {PAGE}") from error
    return describe(content, path)


def describe(content: Mapping[str, Any], path: Path) -> Description:
    """A description from its fields; ``path`` is named in errors."""
    try:
        return Description.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        *above, last = first["loc"]
        told = {"missing": "it is missing", "extra_forbidden": f"there is no field {last!r}"}.get(first["type"])
        raise UserError(
            f"the description is wrong: {told or first['msg'].removeprefix('Value error, ')}",
            file=path,
            field=".".join(str(part) for part in first["loc"]),
            fix=f"{_fields_of(above)}see {PAGE}",
        ) from error


def _fields_of(place: Sequence[int | str]) -> str:
    """The fields of a table, as a hint; empty where the place is none."""
    model: Any = Description
    for part in place:
        model = getattr(model, "model_fields", {}).get(part)
        model = getattr(model, "annotation", None)
    known = [field.alias or name for name, field in getattr(model, "model_fields", {}).items()]
    return f"the fields there are: {', '.join(known)}; " if known else ""
