"""From labels to Hounsfield units: what contrast medium does in each phase, then noise and the scanner's blur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .draws import Draws
from .findings import Finding
from .labels import Tissue

Hounsfield = npt.NDArray[np.int16]
Phase = Literal["non_contrast", "arterial_phase", "portal_venous_phase", "delayed_phase"]

PHASES: tuple[Phase, ...] = ("non_contrast", "arterial_phase", "portal_venous_phase", "delayed_phase")
Four = tuple[float, float, float, float]

# HU in the four phases.
_TISSUES: dict[int, Four] = {
    Tissue.AIR: (-1000, -1000, -1000, -1000),
    Tissue.FAT: (-105, -105, -104, -104),
    Tissue.SKIN: (10, 15, 20, 20),
    Tissue.MUSCLE: (52, 56, 64, 62),
    Tissue.VISCERAL_FAT: (-98, -97, -95, -96),
    Tissue.RIB: (420, 425, 430, 425),
    Tissue.PELVIS: (480, 480, 485, 480),
    Tissue.MARROW: (150, 152, 158, 155),
    Tissue.SACRUM: (210, 212, 218, 215),
    Tissue.DISC: (78, 80, 84, 82),
    Tissue.CANAL: (18, 18, 20, 20),
    Tissue.ARCH: (460, 462, 465, 462),
    Tissue.LUNG_LOWER_LEFT: (-815, -810, -808, -810),
    Tissue.LUNG_LOWER_RIGHT: (-818, -812, -810, -812),
    Tissue.LUNG_UPPER_LEFT: (-850, -846, -845, -846),
    Tissue.LUNG_UPPER_RIGHT: (-852, -848, -846, -848),
    Tissue.LUNG_VESSEL_LEFT: (20, 220, 150, 100),
    Tissue.LUNG_VESSEL_RIGHT: (20, 220, 150, 100),
    Tissue.HEART: (42, 310, 165, 112),
    Tissue.MYOCARDIUM: (48, 105, 110, 95),
    Tissue.LIVER: (60, 70, 114, 92),
    Tissue.LIVER_VESSEL: (44, 92, 172, 112),
    Tissue.GALLBLADDER: (8, 8, 9, 10),
    Tissue.SPLEEN: (48, 132, 122, 96),
    Tissue.PANCREAS: (42, 112, 92, 76),
    Tissue.STOMACH_WALL: (40, 76, 86, 74),
    Tissue.STOMACH: (12, 12, 12, 12),
    Tissue.GAS: (-930, -930, -930, -930),
    Tissue.BOWEL: (28, 52, 66, 54),
    Tissue.STOOL: (34, 36, 38, 38),
    Tissue.CORTEX_LEFT: (34, 198, 188, 150),
    Tissue.CORTEX_RIGHT: (34, 198, 188, 150),
    Tissue.MEDULLA_LEFT: (30, 62, 170, 160),
    Tissue.MEDULLA_RIGHT: (30, 62, 170, 160),
    Tissue.RENAL_SINUS: (-40, -30, 0, 520),
    Tissue.AORTA: (42, 335, 170, 114),
    Tissue.ILIAC_ARTERY: (42, 330, 165, 112),
    Tissue.VENA_CAVA: (40, 88, 150, 114),
    Tissue.BLADDER: (4, 4, 6, 260),
}
_VERTEBRA: Four = (205, 208, 215, 210)
_FINDINGS: dict[str, Four] = {
    "liver cyst": (6, 6, 7, 7),
    "liver metastasis": (34, 42, 58, 62),
    "hepatocellular carcinoma": (42, 142, 84, 60),
    "renal cyst": (6, 7, 8, 8),
    "renal tumour": (40, 118, 96, 80),
    "kidney stone": (900, 900, 900, 900),
    "splenic lesion": (22, 46, 56, 58),
    "lung nodule": (32, 58, 64, 58),
    "gallstone": (480, 480, 480, 480),
    "aortic calcification": (950, 1000, 950, 950),
    "enlarged lymph node": (40, 72, 96, 88),
    "pancreatic mass": (30, 48, 56, 58),
}
_BLUR_MM = 2.2
_NOISE_HU = 9.0


def densities(findings: Sequence[Finding], phase: Phase, fatty: float) -> npt.NDArray[np.float64]:
    """HU for each value of the label volume: (256,). ``fatty``: HU taken from the liver."""
    column = PHASES.index(phase)
    table = np.full(256, -1000.0)
    for tissue, values in _TISSUES.items():
        table[tissue] = values[column]
    table[Tissue.FIRST_VERTEBRA : Tissue.FIRST_FINDING] = _VERTEBRA[column]
    table[Tissue.LIVER] -= fatty
    for index, finding in enumerate(findings):
        table[Tissue.FIRST_FINDING + index] = _FINDINGS[finding.kind][column]
    return table


def hounsfield(
    labels: npt.NDArray[np.uint8], table: npt.NDArray[np.float64], draws: Draws, spacing: tuple[float, float, float]
) -> Hounsfield:
    """A CT-like volume: int16 (D, H, W), HU in [-1024, 1500], from labels (D, H, W) and a table (256,).

    ``spacing`` is mm per voxel (D, H, W). Sums are in float64 and rounded to whole HU, so that the last bit of a
    machine's arithmetic does not show.
    """
    # Blurring white noise with this width leaves about this share of its deviation; the noise is made grainy, not lost.
    width = tuple(max(0.45, min(1.2, _BLUR_MM / step)) for step in spacing[1:])
    share = 1 / (2 * (np.pi * width[0] * width[1]) ** 0.5)
    grain = draws.noise(labels.shape) * (_NOISE_HU / min(share, 0.8))
    sharp = table[labels] + grain
    smooth = ndimage.gaussian_filter(sharp, sigma=(0.0, *width), mode="nearest", truncate=3.0)
    rounded: Hounsfield = np.rint(np.clip(smooth, -1024, 1500)).astype(np.int16)
    return rounded
