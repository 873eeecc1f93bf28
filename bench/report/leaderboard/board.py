"""A leaderboard as it is built, ranked and explained: what Markdown, CSV, model cards and the site are written from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from m3dbench.task import Scoring


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Score(_Strict):
    """A metric of one entry on one subset, in the metric's own unit.

    value: None where undefined. low, high: the 95% interval, None where there is none. n_planned = n_scored +
    n_failed + n_unscored.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    method: str = ""
    n_planned: int = 0
    n_scored: int = 0
    n_failed: int = 0
    n_unscored: int = 0
    n_cases: int = 0


class Measure(_Strict):
    """A metric as the entries of a ranking have it. unit: ``fraction`` (shown in per cent), or what it counts."""

    metric: str
    scoring: Scoring
    direction: Literal["higher", "lower"]
    signature: str
    unit: str = "fraction"

    @property
    def key(self) -> str:
        """``metric`` under corrected scoring, ``upstream.metric`` under upstream."""
        return self.metric if self.scoring == "corrected" else f"{self.scoring}.{self.metric}"


class Entry(_Strict):
    """One run's results on one task.

    entry: id, unique on the board (``SUBMISSION/TASK``). rank: place by the primary metric, shared by entries that the
    paired test does not tell from the best of their group; None with ``unranked``, the reason why it has none.
    best_rank, worst_rank: the places that are compatible with the data. scores: key of a measure -> the value over all
    samples; macro: key -> (dimension, value); strata: key -> dimension -> stratum -> value. contamination: data sets of
    the test samples that the model's card declares as training data. notes: what a reader has to know, in sentences.
    verified: how far the numbers were recomputed.
    """

    entry: str
    submission: str
    task: str
    model: str
    version: str
    role: str
    rank: int | None
    best_rank: int | None = None
    worst_rank: int | None = None
    unranked: str = ""
    scores: Mapping[str, Score]
    macro: Mapping[str, tuple[str, Score]] = Field(default_factory=dict)
    strata: Mapping[str, Mapping[str, Mapping[str, Score]]] = Field(default_factory=dict)
    predictions: Mapping[str, int] = Field(default_factory=dict)
    contamination: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    verified: Literal["from predictions", "from scores", "not"] = "not"


class Ranking(_Strict):
    """The entries of one comparability class: same task, samples, requests, rules and judges.

    ranking: id, unique on the board (``TASK-DIGEST``). facts: what its entries have in common, for reading.
    measures[0] is the primary one. entries: ranked ones first, in order of rank.
    """

    ranking: str
    task: str
    title: str
    test_set: str
    samples: int
    cases: int
    facts: Mapping[str, Any]
    measures: tuple[Measure, ...]
    entries: tuple[Entry, ...]


class Submission(_Strict):
    """Who ran what. links: name -> https address. train_data: data sets the model declares, None for no word of it."""

    submission: str
    model: str
    version: str
    role: str
    submitted: str
    submitter: str = ""
    links: Mapping[str, str] = Field(default_factory=dict)
    train_data: tuple[str, ...] | None = None
    facts: Mapping[str, Any] = Field(default_factory=dict)


class Published(_Strict):
    """A published number beside a ranking, never ranked. value: in per cent. why_not: why it cannot be ranked."""

    task: str
    model: str
    metric: str
    value: float
    stratum: Mapping[str, str]
    source: str
    why_not: str


class Board(_Strict):
    """Everything the pages show. demonstration: made from drawn or partial data; says so on every page."""

    version: Literal[1] = Field(default=1, alias="schema")
    title: str
    demonstration: bool
    made_with: str
    submissions: tuple[Submission, ...]
    rankings: tuple[Ranking, ...]
    published: tuple[Published, ...] = ()
