"""What an audit asks: each probe is one pair, put in one way, for one check."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from m3dbench.errors import UserError
from m3dbench.judge.identity import Judge
from m3dbench.judge.material import FILLER, PLANTED, Case, attacks, part_of
from m3dbench.judge.rubric import Rubric
from m3dbench.judge.runner import Item
from m3dbench.metrics.pairs import JudgedPair


@dataclass(frozen=True)
class Amount:
    """repeats: how often the same pair is asked. attacked: cases to which every attack is applied."""

    repeats: int = 3
    attacked: int = 4


@dataclass(frozen=True)
class Probe:
    """check: what it is for. variant: which of the check's askings this is. case: of resampling. human: score given."""

    check: str
    variant: str
    case: str
    item: Item
    human: float | None = None


@dataclass(frozen=True)
class Rating:
    """A person's score of an answer."""

    case: str
    pair: JudgedPair
    score: float


def probes(cases: Sequence[Case], ratings: Sequence[Rating], judge: Judge, rubric: Rubric, how: Amount) -> list[Probe]:
    """All probes of an audit, those that are the same asking under one key."""
    found = [probe for number, case in enumerate(cases) for probe in _of_case(cases, number, judge, rubric, how)]
    for number, rating in enumerate(ratings):
        item = _item(judge, rubric, f"rating {number + 1}", rating.pair)
        found.append(Probe("people", "judge", rating.case, item, rating.score))
    return found


def _of_case(cases: Sequence[Case], number: int, judge: Judge, rubric: Rubric, how: Amount) -> Iterator[Probe]:
    case = cases[number]
    other = cases[(number + 1) % len(cases)].reference

    def probe(check: str, variant: str, prediction: str, judge: Judge = judge) -> Probe:
        pair = JudgedPair(prediction, case.reference, case.question)
        name = f"{case.name}: {check}" + (f", {variant}" if variant else "")
        return Probe(check, variant, case.name, _item(judge, rubric, name, pair))

    yield probe("itself", "", case.reference)
    yield probe("empty", "", "")
    yield probe("another text", "", other)
    for name, plant in PLANTED.items():
        planted = plant(case.reference)
        if planted is not None:
            yield probe(name, "planted", planted)
    part = part_of(case.reference)
    for repeat in range(how.repeats):
        yield probe("repeats", str(repeat), part, judge.asked(repeat=repeat))
    if not rubric.verbatim:
        yield probe("order of the texts", "swapped", part, judge.asked(swapped=True))
    yield probe("length", "padded", f"{part} {FILLER.strip()}")
    if number < how.attacked:
        for name, attack in attacks(rubric).items():
            yield probe("attacks", name, attack(other))


def _item(judge: Judge, rubric: Rubric, name: str, pair: JudgedPair) -> Item:
    return Item(judge.key(rubric, pair), name, pair, judge, rubric)


def read_ratings(path: Path, low: float, high: float) -> list[Rating]:
    """People's scores from a CSV: columns ``reference``, ``prediction``, ``score``, optionally ``question``, ``case``.

    Scores are brought from ``low`` to ``high`` onto 0 to 100. Raises UserError naming the row.
    """
    if not -math.inf < low < high < math.inf:
        raise UserError("the range of the scores is empty", field="--human-range", fix="for example 1,5")
    ratings = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = {"reference", "prediction", "score"} - set(reader.fieldnames or ())
            if missing:
                raise UserError(f"has no column {sorted(missing)[0]!r}", file=path, field="--humans")
            for number, row in enumerate(reader, 2):
                try:
                    score = float(row["score"])
                except (TypeError, ValueError) as error:
                    raise UserError("is no number", file=path, record=f"line {number}", field="score") from error
                if not low <= score <= high:
                    raise UserError(
                        f"lies outside {low:g} to {high:g}", file=path, record=f"line {number}", field="score"
                    )
                if not (row["reference"] or "").strip():
                    raise UserError("is empty", file=path, record=f"line {number}", field="reference")
                pair = JudgedPair(row["prediction"] or "", row["reference"], row.get("question") or "")
                case = row.get("case") or f"line {number}"
                ratings.append(Rating(case, pair, 100 * (score - low) / (high - low)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot be read: {error}", file=path, field="--humans") from error
    if not ratings:
        raise UserError("holds no rating", file=path, field="--humans")
    return ratings
