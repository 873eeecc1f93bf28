"""The body of one case as numbers in millimetres: where each organ lies, how large it is, what is missing.

Body frame: z from the head (0) to the feet, y from the front (negative) to the back, x from the patient's right
(negative) to the left; x = y = 0 is the middle of the trunk. Triples are (z, y, x), like the axes (D, H, W) of an axial
series. Nothing here knows of a grid.
"""

from __future__ import annotations

from dataclasses import dataclass

from .draws import Draws

Point = tuple[float, float, float]

FIELD_MM = (400.0, 300.0, 384.0)
COVERAGES = {"chest base to pelvis": (0.0, 400.0), "upper abdomen": (0.0, 312.0), "abdomen and pelvis": (112.0, 400.0)}
REMOVABLE = ("spleen", "left kidney", "right kidney", "gallbladder")

# Centre and half-axes (z, y, x) in mm.
_TYPICAL: dict[str, tuple[Point, Point]] = {
    "heart": ((28, -32, 24), (46, 44, 52)),
    "liver": ((150, -4, -66), (84, 92, 84)),
    "liver left lobe": ((138, -56, 4), (44, 32, 66)),
    "spleen": ((138, 44, 100), (54, 44, 27)),
    "stomach": ((132, -18, 62), (58, 38, 42)),
    "gallbladder": ((196, -44, -50), (28, 17, 17)),
    "right kidney": ((224, 46, -64), (52, 29, 26)),
    "left kidney": ((210, 46, 66), (54, 29, 26)),
    "urinary bladder": ((366, -30, 0), (28, 30, 38)),
}


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """Centre and half-axes (z, y, x) in mm; ``tilt`` turns it in the x-z plane (radians)."""

    centre: Point
    radii: Point
    tilt: float = 0.0


@dataclass(frozen=True, slots=True)
class Body:
    """The anatomy of one case.

    ``half_width`` and ``half_depth``: half-axes of the trunk; ``fat``: thickness under the skin; ``organs``: the
    ellipsoids by name (removed ones left out); ``pancreas``: (centre, radius) along its length from head to tail;
    ``aorta``: (y, x, radius); ``spine_top``: z of the upper edge of T7; ``level``: height of a vertebra with its disc;
    ``warp``: (amplitude, wave length, phase) for each axis; ``removed`` and ``flat``: organs that are missing, and that
    occupy a single axial slice; ``span``: the z range in view; ``bowel``: phases of the bowel's pattern; ``fatty``: HU
    taken from the liver. All lengths in mm.
    """

    half_width: float
    half_depth: float
    fat: float
    organs: dict[str, Ellipsoid]
    pancreas: tuple[tuple[Point, float], ...]
    aorta: tuple[float, float, float]
    spine_top: float
    level: float
    warp: tuple[tuple[float, float, float], ...]
    removed: tuple[str, ...]
    flat: tuple[str, ...]
    coverage: str
    span: tuple[float, float]
    bowel: Point
    fatty: float


def turn_of(case_id: str) -> int:
    """The number at the end of a case id, 0 when there is none: it rotates the rarities, so small sets have them."""
    digits = ""
    for character in reversed(case_id):
        if not ("0" <= character <= "9"):
            break
        digits = character + digits
    return int(digits or "0")


def _missing(turn: int, draws: Draws) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    removed: list[str] = []
    flat: list[str] = []
    coverage = "chest base to pelvis"
    match turn % 6:
        case 1:
            removed.append("spleen")
        case 2:
            flat.append("spleen")
        case 3:
            removed.append("left kidney" if draws.chance(0.5) else "right kidney")
        case 4:
            coverage = "upper abdomen"
        case 5:
            flat.append("urinary bladder")
            removed.append("gallbladder")
        case _:
            if draws.chance(0.3):
                coverage = "abdomen and pelvis"
    return tuple(removed), tuple(flat), coverage


def body_of(case_id: str, seed: int) -> Body:
    """The body of a case. Pure; any string is a case."""
    draws = Draws(seed, case_id, "body")
    removed, flat, coverage = _missing(turn_of(case_id), draws)
    half_width = draws.uniform(148, 172)
    half_depth = draws.uniform(106, 128)
    # Organs move outwards in a wide trunk and inwards in a slim one.
    wide, deep = half_width / 160, half_depth / 117
    shift = draws.uniform(-8, 8)
    organs: dict[str, Ellipsoid] = {}
    for name, (centre, radii) in _TYPICAL.items():
        z = centre[0] + shift + draws.uniform(-7, 7)
        y = centre[1] * deep + draws.uniform(-4, 4)
        x = centre[2] * wide + draws.uniform(-5, 5)
        size = draws.uniform(0.88, 1.12)
        half = (
            draws.around(radii[0] * size, 0.06),
            draws.around(radii[1] * size, 0.06),
            draws.around(radii[2] * size, 0.06),
        )
        lean = {"right kidney": -0.22, "left kidney": 0.22, "spleen": 0.25, "gallbladder": 0.2}.get(name, 0.0)
        if name not in removed:
            organs[name] = Ellipsoid((z, y, x), half, lean * draws.uniform(0.6, 1.4))
    thick = draws.uniform(0.9, 1.15)
    rise = draws.uniform(-8, 8)
    course = (
        (214, -6, -30, 17),
        (200, -20, -12, 15),
        (188, -24, 12, 13),
        (180, -10, 36, 12),
        (172, 10, 60, 11),
        (166, 20, 78, 9),
    )
    pancreas = tuple(
        ((z + shift + rise * index / 5, y * deep + draws.uniform(-2, 2), x * wide), radius * thick)
        for index, (z, y, x, radius) in enumerate(course)
    )
    return Body(
        half_width=half_width,
        half_depth=half_depth,
        fat=draws.uniform(12, 26),
        organs=organs,
        pancreas=pancreas,
        aorta=(36 * deep + draws.uniform(-2, 2), draws.uniform(8, 16), draws.uniform(10.5, 13)),
        spine_top=shift + draws.uniform(-14, -6),
        level=draws.uniform(32, 34.5),
        warp=tuple((draws.uniform(2, 5), draws.uniform(110, 190), draws.uniform(0, 6.28)) for _ in range(6)),
        removed=removed,
        flat=flat,
        coverage=coverage,
        span=COVERAGES[coverage],
        bowel=(draws.uniform(0, 6.28), draws.uniform(0, 6.28), draws.uniform(0, 6.28)),
        fatty=draws.uniform(0, 14),
    )
