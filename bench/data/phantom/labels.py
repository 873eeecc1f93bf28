"""The tissues of the phantom: the numbers in its label volume and which of them make up a named structure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Tissue(IntEnum):
    """Values of the label volume (uint8). Findings follow from ``FIRST_FINDING`` on."""

    AIR = 0
    FAT = 1
    SKIN = 2
    MUSCLE = 3
    VISCERAL_FAT = 4
    RIB = 5
    PELVIS = 6
    MARROW = 7
    SACRUM = 8
    DISC = 9
    CANAL = 10
    ARCH = 11
    LUNG_LOWER_LEFT = 20
    LUNG_LOWER_RIGHT = 21
    LUNG_UPPER_LEFT = 22
    LUNG_UPPER_RIGHT = 23
    LUNG_VESSEL_LEFT = 24
    LUNG_VESSEL_RIGHT = 25
    HEART = 26
    MYOCARDIUM = 27
    LIVER = 30
    LIVER_VESSEL = 31
    GALLBLADDER = 32
    SPLEEN = 33
    PANCREAS = 34
    STOMACH_WALL = 35
    STOMACH = 36
    GAS = 37
    BOWEL = 38
    STOOL = 39
    CORTEX_LEFT = 40
    MEDULLA_LEFT = 41
    CORTEX_RIGHT = 42
    MEDULLA_RIGHT = 43
    RENAL_SINUS = 44
    AORTA = 45
    VENA_CAVA = 46
    BLADDER = 47
    ILIAC_ARTERY = 48
    FIRST_VERTEBRA = 60
    FIRST_FINDING = 100


VERTEBRAE = ("T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
_BODIES = tuple(int(Tissue.FIRST_VERTEBRA) + index for index in range(len(VERTEBRAE)))

_LUNG_LEFT = (Tissue.LUNG_LOWER_LEFT, Tissue.LUNG_UPPER_LEFT, Tissue.LUNG_VESSEL_LEFT)
_LUNG_RIGHT = (Tissue.LUNG_LOWER_RIGHT, Tissue.LUNG_UPPER_RIGHT, Tissue.LUNG_VESSEL_RIGHT)

# Elementary organs: pairwise disjoint. A finding belongs to at most one of them.
ORGANS: Mapping[str, tuple[int, ...]] = {
    "liver": (Tissue.LIVER, Tissue.LIVER_VESSEL),
    "gallbladder": (Tissue.GALLBLADDER,),
    "spleen": (Tissue.SPLEEN,),
    "pancreas": (Tissue.PANCREAS,),
    "left kidney": (Tissue.CORTEX_LEFT, Tissue.MEDULLA_LEFT),
    "right kidney": (Tissue.CORTEX_RIGHT, Tissue.MEDULLA_RIGHT),
    "aorta": (Tissue.AORTA,),
    "urinary bladder": (Tissue.BLADDER,),
    "left lower lobe": (Tissue.LUNG_LOWER_LEFT,),
    "right lower lobe": (Tissue.LUNG_LOWER_RIGHT,),
    "left upper lobe": (Tissue.LUNG_UPPER_LEFT, Tissue.LUNG_VESSEL_LEFT),
    "right middle lobe": (Tissue.LUNG_UPPER_RIGHT, Tissue.LUNG_VESSEL_RIGHT),
    "heart": (Tissue.HEART, Tissue.MYOCARDIUM),
    "L1": (_BODIES[VERTEBRAE.index("L1")],),
    "L2": (_BODIES[VERTEBRAE.index("L2")],),
    "other bones": (
        *(code for code, name in zip(_BODIES, VERTEBRAE, strict=True) if name not in ("L1", "L2")),
        Tissue.RIB,
        Tissue.PELVIS,
        Tissue.MARROW,
        Tissue.SACRUM,
        Tissue.ARCH,
    ),
}

# The names that M3D-Seg gives its classes, each a union of elementary organs; an empty union is never in the volume.
CLASSES: Mapping[str, tuple[str, ...]] = {
    "liver": ("liver",),
    "kidney": ("left kidney", "right kidney"),
    "kidneys": ("left kidney", "right kidney"),
    "kidney left": ("left kidney",),
    "kidney right": ("right kidney",),
    "spleen": ("spleen",),
    "pancreas": ("pancreas",),
    "aorta": ("aorta",),
    "gallbladder": ("gallbladder",),
    "lung lower lobe left": ("left lower lobe",),
    "lung lower lobe right": ("right lower lobe",),
    "lungs": ("left lower lobe", "right lower lobe", "left upper lobe", "right middle lobe"),
    "urinary bladder": ("urinary bladder",),
    "bladder": ("urinary bladder",),
    "vertebrae L1": ("L1",),
    "vertebrae L2": ("L2",),
    "bone": ("L1", "L2", "other bones"),
    "brain": (),
}

DATASETS: Mapping[str, tuple[str, ...]] = {
    "0003": ("liver", "kidney", "spleen", "pancreas"),
    "0011": (
        "aorta",
        "gallbladder",
        "kidney left",
        "kidney right",
        "liver",
        "lung lower lobe left",
        "lung lower lobe right",
        "pancreas",
        "spleen",
        "urinary bladder",
        "vertebrae L1",
        "vertebrae L2",
    ),
    "0012": ("liver", "bladder", "lungs", "kidneys", "bone", "brain"),
}
