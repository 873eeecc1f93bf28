"""The rules of a gate, as a TOML file states them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from m3dbench.errors import UserError

Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MetricRules(_Strict):
    """margin: by how much the candidate may be worse, in the metric's units; without one, the gate only asks that it is
    not significantly worse. floor: the worst value that the candidate may have (a ceiling where lower is better)."""

    margin: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    floor: float | None = Field(default=None, allow_inf_nan=False)


class TaskRules(_Strict):
    """metrics: name -> rules. Shares are of the samples: errors and refusals of the candidate, samples that its scorer
    gave no value to, segmentation answers without a mask token, and samples that have a value in both runs, of
    those that have one in either (``min_coverage``)."""

    metrics: dict[str, MetricRules] = Field(min_length=1)
    max_error_rate: Share = 0.0
    max_unscored_rate: Share = 0.02
    max_no_seg_rate: Share | None = None
    min_coverage: Share = 1.0


class GateRules(_Strict):
    """alpha: chance of a false alarm over all tasks together, and per metric of passing a release that is too bad."""

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    tasks: dict[str, TaskRules] = Field(min_length=1)


def read_rules(path: Path) -> GateRules:
    """Raises UserError naming the field when the file is missing, no TOML, or states something else than rules."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            "there is no gate file", file=path, fix="make one: m3dbench gate init BASE --out gate.toml"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise UserError(f"is not valid TOML: {error}", file=path) from error
    try:
        return GateRules.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{first['msg']}", file=path, field=field, fix="see docs/gate.md for what a gate may state"
        ) from error
