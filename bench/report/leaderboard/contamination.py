"""What a model's card declares as training data, held against the data sets of the test samples."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from m3dbench import registry
from m3dbench.data.dataset import Derived
from m3dbench.report.leaderboard.submission import SubmittedTask

DIMENSION = "dataset"


@dataclass(frozen=True)
class Overlap:
    """seen: declared training data that the test samples come from, as a whole or in the split under test.
    beside: declared other splits of it."""

    seen: tuple[str, ...]
    beside: tuple[str, ...]


def test_data(part: SubmittedTask) -> tuple[str, ...]:
    """The data sets of a task's test samples, as its strata name them."""
    found = {name for item in part.summary.metrics for name in item.strata.get(DIMENSION, {})}
    return tuple(sorted(found))


def overlap(declared: Iterable[str] | None, part: SubmittedTask) -> Overlap:
    """``NAME`` declares a whole data set, ``NAME:SPLIT`` a split of it. Names are compared without case and signs."""
    names = test_data(part)
    sources = {_plain(source) for name in names for source in _sources(name)}
    seen: list[str] = []
    beside: list[str] = []
    for item in declared or ():
        name, _, split = item.partition(":")
        if _plain(name) in sources:
            (beside if split and split != part.summary.test_set else seen).append(item)
    return Overlap(tuple(seen), tuple(beside))


def _sources(name: str) -> tuple[str, ...]:
    """A data set and what it is a part or made of, as the installed readers say."""
    return (name, *(source for reader in _readers() for source in reader.sources(name)))


@cache
def _readers() -> tuple[Derived, ...]:
    made = (registry.create("datasets", name) for name in registry.available("datasets"))
    return tuple(reader for reader in made if isinstance(reader, Derived))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9/]", "", name.lower())
