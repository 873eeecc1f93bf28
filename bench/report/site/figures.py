"""The numbers behind the plots, as compact JSON that a page carries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from m3dbench.report.leaderboard.board import Entry, Measure, Ranking, Score

Triple = list[float | None] | None


def ranking_figures(ranking: Ranking) -> dict[str, Any]:
    """Measures, dimensions with their strata, and every entry's values, in the order of the ranking's rows."""
    dimensions = _dimensions(ranking.entries)
    return {
        "measures": _measures(ranking.measures),
        "dimensions": dimensions,
        "entries": [_entry(entry, ranking.measures, dimensions) for entry in ranking.entries],
    }


def run_figures(entries: Sequence[tuple[Ranking, Entry]]) -> dict[str, Any]:
    """The same per task, each with the one entry of the run. Keys are tasks."""
    found = {}
    for ranking, entry in entries:
        dimensions = _dimensions((entry,))
        found[entry.task] = {
            "measures": _measures(ranking.measures),
            "dimensions": dimensions,
            "entries": [_entry(entry, ranking.measures, dimensions)],
        }
    return found


def coverage_figures() -> dict[str, Any]:
    """Coverage of the interval methods on simulated test sets: ``results/simulations/coverage.json``."""
    text = (files("m3dbench.results") / "simulations" / "coverage.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def embedded(content: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script element: no ``<`` can end it."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _measures(measures: Iterable[Measure]) -> list[dict[str, Any]]:
    return [
        {
            "key": one.key,
            "metric": one.metric,
            "scoring": one.scoring,
            "direction": one.direction,
            "unit": one.unit,
        }
        for one in measures
    ]


def _dimensions(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """Dimension -> its strata, both in the order of their names."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        for dimensions in entry.strata.values():
            for dimension, strata in dimensions.items():
                found.setdefault(dimension, set()).update(strata)
    return {dimension: sorted(found[dimension]) for dimension in sorted(found)}


def _entry(entry: Entry, measures: Iterable[Measure], dimensions: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    keys = [one.key for one in measures]
    return {
        "name": f"{entry.model} {entry.version}".strip(),
        "role": entry.role,
        "all": {key: _triple(entry.scores.get(key)) for key in keys},
        "strata": {
            key: {
                dimension: [_triple(entry.strata.get(key, {}).get(dimension, {}).get(name)) for name in strata]
                for dimension, strata in dimensions.items()
                if dimension in entry.strata.get(key, {})
            }
            for key in keys
        },
    }


def _triple(score: Score | None) -> Triple:
    """Value, low and high to five digits; None without a value."""
    if score is None or score.value is None:
        return None
    return [None if one is None else float(f"{one:.5g}") for one in (score.value, score.low, score.high)]
