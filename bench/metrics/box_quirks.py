"""Which quirk of the reference's box scoring sets an item apart: each of its rules can be switched off by itself.

With every rule on, ``box_value`` is the reference's value; with every rule off it is the corrected one. The quirk of an
item is the rule whose switching off, alone, brings the reference's value nearest to the corrected one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from m3dbench.metrics.box_convention import M3D, Grid
from m3dbench.metrics.box_text import upstream_box_from_text
from m3dbench.metrics.core import SAME, Status
from m3dbench.metrics.pairs import Box, BoxPair

EPSILON = 1e-6
ROUNDING = 1e-9
_SWITCH_OFF_TIES = 1e-12


@dataclass(frozen=True, slots=True)
class BoxRules:
    """The reference's rules, on or off.

    missing: -1 where either box is missing (Q-REC-4). reader: boxes are what the regex finds in the text (Q-REC-5).
    inclusive: a maximum is the last voxel's own index, and bounds are read as written (Q-REC-3). enclosing: the
    intersection is divided by the enclosing box (Q-REC-1). epsilon: 1e-6 is added to the divisor (Q-REC-2).
    """

    missing: bool = True
    reader: bool = True
    inclusive: bool = True
    enclosing: bool = True
    epsilon: bool = True


QUIRKS = {
    "missing": "Q-REC-4",
    "reader": "Q-REC-5",
    "inclusive": "Q-REC-3",
    "enclosing": "Q-REC-1",
    "epsilon": "Q-REC-2",
}
UPSTREAM = BoxRules()
CORRECTED = BoxRules(**dict.fromkeys(QUIRKS, False))
Verdict = tuple[Status, float]
"""Status and IoU; NaN where not applicable."""


def box_value(pair: BoxPair, rules: BoxRules = UPSTREAM) -> Verdict:
    """The verdict on a pair under some of the reference's rules."""
    predicted = _side(pair.prediction, pair.prediction_text, pair.grid, rules)
    reference = _side(pair.reference, pair.reference_text, pair.grid, rules)
    if rules.missing and (predicted is None or reference is None):
        return "scored", -1.0
    if reference is None:
        return "not_applicable", math.nan
    if pair.unparsed and not rules.reader:
        return "failed", 0.0
    return "scored", 0.0 if predicted is None else overlap(predicted, reference, rules)


def overlap(a: Box, b: Box, rules: BoxRules = CORRECTED) -> float:
    """Intersection over union of two boxes, or over the enclosing box; 0 where the divisor has no volume."""
    shared = _volume([min(x, y) - max(u, v) for u, v, x, y in zip(a[:3], b[:3], a[3:], b[3:], strict=True)])
    if rules.enclosing:
        whole = math.prod(max(x, y) - min(u, v) for u, v, x, y in zip(a[:3], b[:3], a[3:], b[3:], strict=True))
    else:
        sides = [[high - low for low, high in zip(box[:3], box[3:], strict=True)] for box in (a, b)]
        whole = _volume(sides[0]) + _volume(sides[1]) - shared
    whole += EPSILON if rules.epsilon else 0.0
    if shared == 0 or whole <= 0:
        return 0.0
    value = shared / whole
    return value if rules.enclosing else min(value, 1.0)


def box_quirk(pair: BoxPair, threshold: float | None = None) -> str:
    """The quirk that sets upstream apart from corrected on this pair, empty where they agree.

    ``threshold``: compare hits at this IoU instead of the IoU itself.
    """
    wanted = box_value(pair, CORRECTED)
    if _distance(box_value(pair), wanted, threshold)[:2] <= (0.0, SAME):
        return ""
    found = {
        rule.name: _distance(box_value(pair, replace(UPSTREAM, **{rule.name: False})), wanted, threshold)
        for rule in fields(BoxRules)
    }
    return QUIRKS[min(found, key=lambda name: tuple(round(part / _SWITCH_OFF_TIES) for part in found[name]))]


def _distance(got: Verdict, wanted: Verdict, threshold: float | None) -> tuple[float, float, float]:
    """How far one verdict is from another: in status, in the value compared, in IoU."""
    status, values = float(got[0] != wanted[0]), (got[1], wanted[1])
    if math.isnan(values[0]) or math.isnan(values[1]):
        apart = 0.0 if math.isnan(values[0]) and math.isnan(values[1]) else 1.0
        return status, apart, apart
    iou = abs(values[0] - values[1])
    if threshold is None:
        return status, iou, iou
    return status, abs(float(hit(got[1], threshold)) - float(hit(wanted[1], threshold))), iou


def hit(value: float, threshold: float) -> bool:
    """Whether an IoU reaches a threshold, rounding apart."""
    return value >= threshold - ROUNDING


def _side(box: Box | None, text: str, grid: Grid, rules: BoxRules) -> Box | None:
    if not rules.reader:
        return box if box is None or not rules.inclusive else _as_written(box, grid)
    read = upstream_box_from_text(text)
    if read is None or rules.inclusive:
        return read
    return M3D.to_canonical(read, grid) if box is None else box


def _as_written(box: Box, grid: Grid) -> Box:
    d0, h0, w0, d1, h1, w1 = (round(value, 3) for value in M3D.from_canonical(box, grid))
    return (d0, h0, w0, d1, h1, w1)


def _volume(sides: list[float]) -> float:
    return math.prod(max(side, 0.0) for side in sides)
