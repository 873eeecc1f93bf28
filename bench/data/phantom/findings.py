"""The abnormalities of a case: what, in which organ, on which side, where and how large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .anatomy import Body, Ellipsoid, Point
from .draws import Draws

Side = Literal["left", "right", "midline"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One abnormality.

    ``kind``: for example "renal cyst"; ``organ``: a key of ``labels.ORGANS``, or "" for a lymph node; ``side`` is the
    patient's; ``place``: where, as a phrase; ``size_mm``: diameter; ``centre_mm``: (z, y, x) in the body frame;
    ``confined``: does it stay within its organ.
    """

    kind: str
    organ: str
    side: Side
    place: str
    size_mm: int
    centre_mm: Point
    confined: bool


# Kind -> (lowest, highest) diameter in mm.
SIZES: dict[str, tuple[int, int]] = {
    "liver cyst": (22, 55),
    "liver metastasis": (22, 50),
    "hepatocellular carcinoma": (30, 60),
    "renal cyst": (24, 50),
    "renal tumour": (28, 55),
    "kidney stone": (10, 18),
    "splenic lesion": (20, 36),
    "lung nodule": (14, 32),
    "gallstone": (10, 18),
    "aortic calcification": (9, 14),
    "enlarged lymph node": (18, 32),
    "pancreatic mass": (24, 40),
}
KINDS = tuple(SIZES)
# A finding at the very edge of the view could vanish between two voxels.
_MARGIN_MM = 20.0
_SIDED = ("renal cyst", "renal tumour", "kidney stone", "lung nodule", "enlarged lymph node")


def _within(organ: Ellipsoid, z: float, y: float, x: float) -> Point:
    """A point given in half-axes from the organ's centre. The tilt is small enough to be left out."""
    c, r = organ.centre, organ.radii
    return (c[0] + z * r[0], c[1] + y * r[1], c[2] + x * r[2])


def _liver(body: Body, draws: Draws) -> tuple[str, Side, str, Point]:
    jitter = (draws.uniform(-0.12, 0.12), draws.uniform(-0.2, 0.2), draws.uniform(-0.15, 0.15))
    if draws.chance(0.3):
        point = _within(body.organs["liver left lobe"], 0.15 + jitter[0], jitter[1], 0.1 + jitter[2])
        return "liver", "midline", "left lobe of the liver", point
    upper = draws.chance(0.5)
    point = _within(body.organs["liver"], (-0.2 if upper else 0.42) + jitter[0], jitter[1], -0.28 + jitter[2])
    return "liver", "right", f"{'upper' if upper else 'lower'} part of the right lobe of the liver", point


def _kidney(kind: str, body: Body, draws: Draws) -> tuple[str, Side, str, Point] | None:
    side: Side = "left" if draws.chance(0.5) else "right"
    kidney = body.organs.get(f"{side} kidney")
    if kidney is None:
        return None
    outward = 1 if side == "left" else -1
    if kind == "kidney stone":
        return (
            f"{side} kidney",
            side,
            f"renal pelvis of the {side} kidney",
            _within(kidney, draws.uniform(-0.2, 0.2), 0, 0),
        )
    pole = draws.pick((("upper pole", -0.62), ("lower pole", 0.62), ("middle third", 0.0)))
    lateral = 0.85 if pole[1] == 0.0 else 0.45
    point = _within(kidney, pole[1] + draws.uniform(-0.08, 0.08), draws.uniform(-0.25, 0.25), outward * lateral)
    return f"{side} kidney", side, f"{pole[0]} of the {side} kidney", point


def _lung(body: Body, draws: Draws) -> tuple[str, Side, str, Point] | None:
    if body.span[0] > 0:
        return None
    side: Side = "left" if draws.chance(0.5) else "right"
    outward = 1 if side == "left" else -1
    wide = body.half_width - body.fat
    if draws.chance(0.6):
        organ, name = f"{side} lower lobe", f"{side} lower lobe"
        point = (draws.uniform(26, 62), draws.uniform(36, 52), outward * (wide - 58 + draws.uniform(-8, 8)))
    else:
        organ = name = "left upper lobe" if side == "left" else "right middle lobe"
        point = (draws.uniform(16, 34), draws.uniform(-34, -24), outward * (wide - 44 + draws.uniform(-6, 6)))
    return organ, side, name, point


def _place(kind: str, body: Body, draws: Draws) -> tuple[str, Side, str, Point] | None:
    y, x, thick = body.aorta
    match kind:
        case "liver cyst" | "liver metastasis" | "hepatocellular carcinoma":
            return _liver(body, draws)
        case "renal cyst" | "renal tumour" | "kidney stone":
            return _kidney(kind, body, draws)
        case "lung nodule":
            return _lung(body, draws)
        case "splenic lesion":
            spleen = body.organs.get("spleen")
            if spleen is None or "spleen" in body.flat:
                return None
            upper = draws.chance(0.5)
            return (
                "spleen",
                "left",
                f"{'upper' if upper else 'lower'} half of the spleen",
                _within(spleen, -0.3 if upper else 0.3, 0.05, 0),
            )
        case "gallstone":
            gallbladder = body.organs.get("gallbladder")
            if gallbladder is None:
                return None
            return "gallbladder", "right", "gallbladder", _within(gallbladder, 0.25, 0.3, 0)
        case "aortic calcification":
            side = draws.pick((-1, 1))
            return (
                "aorta",
                "midline",
                "wall of the abdominal aorta",
                (draws.uniform(205, 255), y - 2, x * 0.7 + side * (thick - 3)),
            )
        case "enlarged lymph node":
            if draws.chance(0.5):
                return "", "left", "left para-aortic space", (draws.uniform(236, 282), y + 2, x + 26)
            return "", "right", "right paracaval space", (draws.uniform(250, 285), y - 4, -52)
        case _:
            head = draws.chance(0.5)
            centre, _ = body.pancreas[1 if head else 4]
            return "pancreas", "midline" if head else "left", f"{'head' if head else 'tail'} of the pancreas", centre


def findings_of(body: Body, case_id: str, seed: int) -> tuple[Finding, ...]:
    """None to three abnormalities of a body, at most one in an organ, in a fixed order of kinds."""
    draws = Draws(seed, case_id, "findings")
    wanted = draws.pick((0, 0, 1, 1, 1, 1, 2, 2, 2, 3))
    found: dict[str, Finding] = {}
    for kind in draws.shuffled(KINDS):
        if len(found) == wanted:
            break
        spot = _place(kind, body, draws)
        if spot is None or (spot[0] or kind) in found:
            continue
        organ, side, place, centre = spot
        if not body.span[0] + _MARGIN_MM < centre[0] < body.span[1] - _MARGIN_MM:
            continue
        low, high = SIZES[kind]
        size = low + draws.below(high - low + 1)
        confined = kind in ("liver cyst", "liver metastasis", "hepatocellular carcinoma", "splenic lesion", "gallstone")
        found[organ or kind] = Finding(kind, organ, side, place, size, centre, confined)
    return tuple(sorted(found.values(), key=lambda finding: KINDS.index(finding.kind)))


def is_sided(kind: str) -> bool:
    """Can an abnormality of this kind lie on either side, so that asking for the side makes sense."""
    return kind in _SIDED
