"""Published numbers as records, checked when read."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Strict):
    """One published value.

    task, metric: ours, the metric empty where we have none that means the same. value: in per cent. subset: as the
    source names it; test_set and samples ours, empty or None where it does not say. stratum: dimension -> value, with
    ``(macro)`` for the mean over a dimension. comparability_class: only rows of one class can stand in one ranking;
    ``none`` where the source says too little. kind: who reported it.
    """

    model: str
    benchmark: str
    task: str
    metric: str
    published_metric: str
    value: float
    unit: Literal["percent"]
    subset: str
    test_set: str
    samples: int | None
    stratum: dict[str, str]
    table: int | None
    comparability_class: str
    kind: Literal["author-reported", "user-reported"]
    note: str
    provenance: str


class Source(_Strict):
    version: Literal[1] = Field(alias="schema")
    source: str
    arxiv: str | None
    rows: tuple[Row, ...]


@lru_cache
def published() -> tuple[Source, ...]:
    """Every source shipped in ``results/published``, by file name. Raises pydantic's ValidationError on a bad file."""
    folder = files("m3dbench.results.published")
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".json"))
    return tuple(Source.model_validate_json((folder / name).read_text(encoding="utf-8")) for name in names)
