"""The catalogue of the reference's quirks: what each of them does to a score."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

OPTION = "OPTION"
EXCLUDED = "EXCLUDED"
UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Quirk:
    """A quirk by its id.

    metrics: names of the metrics in which it can be seen. hidden: no single item shows it, since it acts on both
    scorings or on the average. instead: the metric that the reference computes where the paper names the one in
    ``metrics``.
    """

    id: str
    title: str
    effect: str
    metrics: tuple[str, ...] = ()
    hidden: bool = False
    instead: str = ""


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, Quirk]:
    """Id -> quirk."""
    tables = tomllib.loads(files(__package__).joinpath("quirks.toml").read_text(encoding="utf-8"))
    return {name: Quirk(name, **{**table, "metrics": tuple(table["metrics"])}) for name, table in tables.items()}


def quirk(name: str) -> Quirk:
    """The quirk of an id; an id that the catalogue does not hold (a plug-in's) explains itself."""
    if name == UNEXPLAINED:
        return Quirk(name, "No cause named", "The metric names no quirk on these items; it may come from a plug-in.")
    return catalogue().get(name) or Quirk(name, name, "Named by the metric; not in this version's catalogue.")
