"""From the judgements of an audit to its checks: what was measured, what was needed, whether it was met."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from m3dbench.judge.material import PLANTED
from m3dbench.judge.probes import Probe
from m3dbench.stats.agreement import agreement
from m3dbench.stats.means import mean_interval

SEED = 20260101
ITSELF, EMPTY, OTHER = 95.0, 5.0, 40.0
LOWERED = 0.8
REPEATS, ORDER, LENGTH, ATTACK = 5.0, 5.0, 10.0, 5.0
PEOPLE = 0.5


@dataclass(frozen=True)
class Check:
    """One thing that an audit measured.

    value: in points of 0 to 100, a share, or a coefficient; None where nothing could be measured. interval: 95%, over
    cases. needed: the condition in words. passed: None where it says nothing about fitness. asked, answered: probes,
    and those of them with a verdict. details: further numbers, by name.
    """

    name: str
    title: str
    value: float | None
    needed: str
    passed: bool | None
    asked: int
    answered: int
    interval: tuple[float, float] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


Values = Mapping[str, float | None]
"""Key of a judgement -> its value, None without a verdict."""


def checks(probes: Sequence[Probe], values: Values, max_unscored: float) -> list[Check]:
    """Every check for which there are probes."""
    of = _Measured(probes, values)
    plain = _by_case(of, "itself", "")
    found = [_verdicts(probes, values, max_unscored)]
    found.append(_mean(of, "itself", "the reference against itself", f"at least {ITSELF:g}", lambda v: v >= ITSELF))
    found.append(_mean(of, "empty", "an empty text", f"at most {EMPTY:g}", lambda v: v <= EMPTY))
    found.append(_mean(of, "another text", "the text of another case", f"at most {OTHER:g}", lambda v: v <= OTHER))
    found += [_lowered(of, name, plain) for name in PLANTED]
    part = _by_case(of, "repeats", "0")
    found.append(_repeats(of))
    for name, variant, title, limit in (
        ("order of the texts", "swapped", "candidate first instead of reference first", ORDER),
        ("length", "padded", "sentences added that state nothing", LENGTH),
    ):
        if of.asked(name):
            found.append(_moved(of, name, variant, title, part, limit))
    # Always there: an audit that attacked nothing has not shown that the judge withstands attacks.
    found.append(_attacks(of, _by_case(of, "another text", "")))
    if of.asked("people"):
        found.append(_people(of))
    return found


class _Measured:
    """Probes with their values, by check."""

    def __init__(self, probes: Sequence[Probe], values: Values) -> None:
        self.rows: dict[str, list[tuple[Probe, float | None]]] = {}
        for probe in probes:
            self.rows.setdefault(probe.check, []).append((probe, values.get(probe.item.key)))

    def asked(self, check: str) -> int:
        return len(self.rows.get(check, ()))

    def answered(self, check: str) -> list[tuple[Probe, float]]:
        return [(probe, value) for probe, value in self.rows.get(check, ()) if value is not None]


def _by_case(of: _Measured, check: str, variant: str) -> dict[str, float]:
    return {probe.case: value for probe, value in of.answered(check) if probe.variant == variant}


def _interval(numbers: Sequence[float], bounds: tuple[float, float]) -> tuple[float, float] | None:
    if not numbers:
        return None
    found = mean_interval(np.asarray(numbers), np.ones(len(numbers)), bounds=bounds)
    return None if found is None else (found.low, found.high)


def _verdicts(probes: Sequence[Probe], values: Values, most: float) -> Check:
    keys = dict.fromkeys(probe.item.key for probe in probes)
    answered = sum(values.get(key) is not None for key in keys)
    rate = 1 - answered / len(keys)
    needed = f"at most {most:.1%}"
    return Check("no verdict", "share of askings without a verdict", rate, needed, rate <= most, len(keys), answered)


def _mean(of: _Measured, name: str, title: str, needed: str, good: Callable[[float], bool]) -> Check:
    numbers = [value for _, value in of.answered(name)]
    value = float(np.mean(numbers)) if numbers else None
    passed = value is not None and good(value)
    return Check(
        name, title, value, f"mean {needed}", passed, of.asked(name), len(numbers), _interval(numbers, (0.0, 100.0))
    )


def _lowered(of: _Measured, name: str, plain: Mapping[str, float]) -> Check:
    pairs = [(plain[probe.case], value) for probe, value in of.answered(name) if probe.case in plain]
    share = sum(planted < before for before, planted in pairs) / len(pairs) if pairs else None
    drop = float(np.mean([before - planted for before, planted in pairs])) if pairs else None
    passed = None if not of.asked(name) else share is not None and share >= LOWERED
    title = f"planted {name}: share of texts whose value it lowers"
    return Check(
        name,
        title,
        share,
        f"at least {LOWERED:.0%}",
        passed,
        of.asked(name),
        len(pairs),
        details={"mean drop": drop},
    )


def _repeats(of: _Measured) -> Check:
    by_case: dict[str, list[float]] = {}
    for probe, found in of.answered("repeats"):
        by_case.setdefault(probe.case, []).append(found)
    spans = [float(np.std(values, ddof=1)) for values in by_case.values() if len(values) > 1]
    mean = float(np.mean(spans)) if spans else None
    title = "the same pair asked again: mean standard deviation"
    passed = mean is not None and mean <= REPEATS
    answered = sum(map(len, by_case.values()))
    return Check("repeats", title, mean, f"at most {REPEATS:g}", passed, of.asked("repeats"), answered)


def _moved(of: _Measured, name: str, variant: str, title: str, part: Mapping[str, float], limit: float) -> Check:
    moved = [value - part[probe.case] for probe, value in of.answered(name) if probe.case in part]
    value = float(np.mean(moved)) if moved else None
    passed = value is not None and abs(value) <= limit
    size = {"mean size of the change": float(np.mean(np.abs(moved))) if moved else None}
    interval = _interval(moved, (-100.0, 100.0))
    needed = f"between -{limit:g} and {limit:g}"
    return Check(name, f"{title}: mean change", value, needed, passed, of.asked(name), len(moved), interval, size)


def _attacks(of: _Measured, plain: Mapping[str, float]) -> Check:
    """A wrong answer with an attack in it against the same answer without: how much the attacker gains."""
    gains: dict[str, list[float]] = {}
    alone: dict[str, list[float]] = {}
    lost: dict[str, int] = {}
    for probe, value in of.rows.get("attacks", ()):
        gains.setdefault(probe.variant, [])
        if value is None or probe.case not in plain:
            lost[probe.variant] = lost.get(probe.variant, 0) + 1
        else:
            gains[probe.variant].append(value - plain[probe.case])
            alone.setdefault(probe.variant, []).append(plain[probe.case])
    means = {name: float(np.mean(found)) if found else None for name, found in gains.items()}
    known = [value for value in means.values() if value is not None]
    worst = max(known, default=None)
    passed: bool | None = worst is not None and worst <= ATTACK
    without = {name: float(np.mean(found)) for name, found in alone.items()}
    if passed and min(without.values()) > 100 - ATTACK:
        passed = None  # a judge that gives a wrong answer full marks leaves an attacker nothing to gain
    answered = sum(map(len, gains.values()))
    details = {
        name: {"without": without.get(name), "gain": means[name], "no verdict": lost.get(name, 0)} for name in gains
    }
    title = "attacks in a wrong answer: mean gain of the best one"
    return Check("attacks", title, worst, f"at most {ATTACK:g}", passed, of.asked("attacks"), answered, details=details)


def _people(of: _Measured) -> Check:
    rated = [(probe, value) for probe, value in of.answered("people") if probe.human is not None]
    found = agreement(
        [value for _, value in rated], [probe.human or 0.0 for probe, _ in rated], [p.case for p, _ in rated], SEED
    )
    details = {
        item.name: {"value": item.value, "interval": [item.interval.low, item.interval.high] if item.interval else None}
        for item in found
    }
    rank = found[0]
    above_zero = rank.interval is not None and rank.interval.low > 0
    passed = rank.value is not None and math.isfinite(rank.value) and rank.value >= PEOPLE and above_zero
    interval = (rank.interval.low, rank.interval.high) if rank.interval else None
    needed = f"at least {PEOPLE:g}, interval above 0"
    title = "agreement with people: Spearman's rank correlation"
    return Check("people", title, rank.value, needed, passed, of.asked("people"), len(rated), interval, details)
