"""From the numbers of a body to a label volume: organs are painted one over the other, deepest last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from .anatomy import FIELD_MM, Body, Ellipsoid
from .canvas import Canvas
from .findings import Finding
from .labels import ORGANS, VERTEBRAE, Tissue
from .trunk import paint_bones, paint_trunk

Labels = npt.NDArray[np.uint8]
Plane = Literal["Axial", "Coronal", "Sagittal"]

PLANES: tuple[Plane, ...] = ("Axial", "Coronal", "Sagittal")
# Which body axes (0 = z, 1 = y, 2 = x) the series axes (D, H, W) run along.
_ORDER: dict[Plane, tuple[int, int, int]] = {"Axial": (0, 1, 2), "Coronal": (1, 0, 2), "Sagittal": (2, 0, 1)}
_SOFT = (Tissue.VISCERAL_FAT, Tissue.BOWEL, Tissue.GAS, Tissue.STOOL, Tissue.STOMACH, Tissue.STOMACH_WALL)
_FREE = (Tissue.VISCERAL_FAT,)


def _bowel(canvas: Canvas, body: Body) -> None:
    region = Ellipsoid((276, -34, 0), (78, 56, 100))
    window = canvas.around(region.centre, region.radii)
    inside = canvas.radius(region, window) < 1
    pattern = canvas.gyroid(window, 46, body.bowel)
    canvas.paint(window, inside & (pattern > -0.15), Tissue.BOWEL, _FREE)
    canvas.paint(window, inside & (pattern > 1.05) & (canvas.y[window] < -25), Tissue.GAS, (Tissue.BOWEL,))
    wide = body.half_width - body.fat
    colon = [
        [((322.0, 10.0, 24 - wide), 23.0), ((262.0, 12.0, 26 - wide), 22.0), ((218.0, -4.0, 34 - wide), 21.0)],
        [
            ((216.0, -8.0, 36 - wide), 19.0),
            ((226.0, -62.0, -40.0), 18.0),
            ((222.0, -66.0, 30.0), 18.0),
            ((196.0, -20.0, wide - 30), 18.0),
        ],
        [((190.0, 12.0, wide - 24), 18.0), ((260.0, 28.0, wide - 22), 17.0), ((330.0, 18.0, wide - 28), 17.0)],
    ]
    for course in colon:
        canvas.tube(course, Tissue.BOWEL, (Tissue.VISCERAL_FAT, Tissue.BOWEL, Tissue.GAS))
        canvas.tube(course, Tissue.STOOL, (Tissue.BOWEL,), share=0.78)
    where = np.nonzero(canvas.labels == Tissue.STOOL)
    gas = canvas.gyroid(where, 21, body.bowel) > 0.55
    canvas.labels[tuple(axis[gas] for axis in where)] = Tissue.GAS


def _upper_organs(canvas: Canvas, body: Body) -> None:
    stomach = body.organs["stomach"]
    canvas.ellipsoid(stomach, Tissue.STOMACH_WALL, _SOFT)
    window = canvas.around(stomach.centre, stomach.radii)
    inner = canvas.radius(stomach, window) < 0.74
    canvas.paint(window, inner, Tissue.STOMACH, (Tissue.STOMACH_WALL,))
    # Lying on the back, gas rises to the front.
    canvas.paint(window, inner & (canvas.y[window] < stomach.centre[1] - 6), Tissue.GAS, (Tissue.STOMACH,))
    for name in ("liver left lobe", "liver"):
        canvas.ellipsoid(body.organs[name], Tissue.LIVER, _SOFT)
    turned = (body.bowel[2], body.bowel[0], body.bowel[1])
    canvas.veins((Tissue.LIVER,), Tissue.LIVER_VESSEL, (74, 0.14, body.bowel), (58, 0.32, turned))
    if "spleen" in body.organs:
        canvas.ellipsoid(body.organs["spleen"], Tissue.SPLEEN, _SOFT)


def _kidney(canvas: Canvas, kidney: Ellipsoid, cortex: int, medulla: int) -> None:
    window = canvas.around(kidney.centre, kidney.radii)
    radius = canvas.radius(kidney, window)
    canvas.paint(window, radius < 1, cortex, (*_SOFT, Tissue.MUSCLE, Tissue.LIVER, Tissue.LIVER_VESSEL, Tissue.SPLEEN))
    pyramids = canvas.gyroid(window, 34, (0.4, 1.1, 2.3)) > -0.5
    canvas.paint(window, (radius < 0.56) & pyramids, medulla, (cortex,))
    inward = -1 if kidney.centre[2] > 0 else 1
    z, y, x = kidney.centre
    sinus = Ellipsoid(
        (z, y - 3, x + inward * kidney.radii[2] * 0.72), (kidney.radii[0] * 0.5, 11, kidney.radii[2] * 0.62)
    )
    canvas.ellipsoid(sinus, Tissue.RENAL_SINUS, (cortex, medulla))


def _deep_organs(canvas: Canvas, body: Body) -> None:
    canvas.tube(body.pancreas, Tissue.PANCREAS, (*_SOFT, Tissue.LIVER, Tissue.LIVER_VESSEL))
    for name, cortex, medulla in (
        ("left kidney", Tissue.CORTEX_LEFT, Tissue.MEDULLA_LEFT),
        ("right kidney", Tissue.CORTEX_RIGHT, Tissue.MEDULLA_RIGHT),
    ):
        if name in body.organs:
            _kidney(canvas, body.organs[name], cortex, medulla)
    if "gallbladder" in body.organs:
        canvas.ellipsoid(
            body.organs["gallbladder"], Tissue.GALLBLADDER, (*_SOFT, Tissue.LIVER, Tissue.LIVER_VESSEL, Tissue.PANCREAS)
        )
    y, x, thick = body.aorta
    soft = (*_SOFT, Tissue.MUSCLE, Tissue.LIVER, Tissue.PANCREAS, Tissue.HEART, Tissue.MYOCARDIUM, *range(20, 26))
    canvas.tube(
        [((306.0, y, -24.0), 11.0), ((150.0, y - 2, -26.0), 12.5), ((48.0, y - 30, -22.0), 12.0)],
        Tissue.VENA_CAVA,
        (*soft, Tissue.LIVER_VESSEL),
    )
    fork = (304.0, y - 2, 2.0)
    for side in (-1, 1):
        canvas.tube(
            [(fork, 7.5), ((340.0, y - 2, side * 34.0), 7.0), ((396.0, y - 34, side * 62.0), 6.5)],
            Tissue.ILIAC_ARTERY,
            soft,
        )
    canvas.tube(
        [
            (fork, thick * 0.85),
            ((220.0, y, x * 0.7), thick * 0.95),
            ((110.0, y + 2, x), thick),
            ((-30.0, y + 4, x + 8), thick * 1.1),
        ],
        Tissue.AORTA,
        (*soft, Tissue.VENA_CAVA),
    )
    canvas.ellipsoid(body.organs["urinary bladder"], Tissue.BLADDER, _SOFT)


def _flatten(canvas: Canvas, body: Body, axial_slices: int) -> None:
    start, end = body.span
    step = (end - start) / axial_slices
    for name in body.flat:
        index = int((body.organs[name].centre[0] - start) / step)
        canvas.flatten(ORGANS[name], slab=(start + index * step, start + (index + 1) * step))


def _finding(canvas: Canvas, finding: Finding, code: int) -> None:
    half = finding.size_mm / 2
    shape = Ellipsoid(finding.centre_mm, (half, half, half))
    over = [*ORGANS[finding.organ], Tissue.RENAL_SINUS] if finding.confined else None
    canvas.ellipsoid(shape, code, over)
    voxel = canvas.voxel(finding.centre_mm)
    # A stone smaller than a voxel still has to be somewhere.
    if voxel is not None:
        canvas.labels[voxel] = code


def rasterise(
    body: Body,
    findings: Sequence[Finding],
    grid: tuple[int, int, int],
    plane: Plane = "Axial",
    axial_slices: int | None = None,
) -> Labels:
    """The label volume of a body: uint8 (D, H, W) of the given plane, values of ``Tissue``, findings from 100 on.

    Axial: D head to feet, H front to back, W the patient's right to left. Coronal: D front to back, H head to feet,
    W right to left. Sagittal: D right to left, H head to feet, W front to back. ``axial_slices`` (default ``grid[0]``)
    is the number of slices of the axial series: a flat organ is as thick as one of them in every plane.
    """
    order = _ORDER[plane]
    shape = [0, 0, 0]
    for axis, count in zip(order, grid, strict=True):
        shape[axis] = count
    canvas = Canvas(body, (shape[0], shape[1], shape[2]), (FIELD_MM[1], FIELD_MM[2]))
    paint_trunk(canvas, body)
    _bowel(canvas, body)
    _upper_organs(canvas, body)
    paint_bones(canvas, body, len(VERTEBRAE))
    _deep_organs(canvas, body)
    _flatten(canvas, body, axial_slices or grid[0])
    for index, finding in enumerate(findings):
        _finding(canvas, finding, Tissue.FIRST_FINDING + index)
    return np.ascontiguousarray(canvas.labels.transpose(order))
