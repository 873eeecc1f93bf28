"""Accepted names of a class: the canonical one, its word orders, and anatomical synonyms."""

from __future__ import annotations

from itertools import product

SIDES = ("left", "right")
SYNONYMS: dict[str, tuple[str, ...]] = {
    "gallbladder": ("gall bladder",),
    "gall bladder": ("gallbladder",),
    "bladder": ("urinary bladder",),
    "urinary bladder": ("bladder",),
    "postcava": ("inferior vena cava",),
    "inferior vena cava": ("postcava", "vena cava inferior", "ivc"),
    "vena cava": ("caval vein",),
    "kidneys": ("kidney", "both kidneys"),
    "lungs": ("lung", "both lungs"),
    "bone": ("bones", "skeleton"),
    "tumour": ("tumor",),
    "lung tumours": ("lung tumors", "lung tumor", "lung tumour"),
    "adrenal gland": ("suprarenal gland",),
    "suprarenal gland": ("adrenal gland",),
    "small bowel": ("small intestine",),
    "small intestin": ("small intestine", "small bowel"),
    "colon": ("large bowel", "large intestine"),
    "clavicula": ("clavicle", "collarbone"),
    "humerus": ("upper arm bone",),
    "femur": ("thigh bone",),
    "hip": ("hip bone",),
    "urinary tract": (),
    "brain": ("cerebrum",),
    "esophagus": ("oesophagus",),
    "trachea": ("windpipe",),
    "iliac vena": ("iliac vein",),
}


def accepted_names(name: str) -> tuple[str, ...]:
    """Names that count as naming this class, canonical first, without repetition.

    A side counts before or after the noun ("kidney left", "left kidney"); "vertebrae L1" also as "L1 vertebra".
    """
    words = name.split()
    side = [word for word in words if word in SIDES]
    base = " ".join(word for word in words if word not in SIDES)
    bases = [base, *SYNONYMS.get(base, ()), *_vertebra(base)]
    if not side:
        return tuple(dict.fromkeys([name, *bases]))
    sided = [pattern.format(side[0], noun) for noun, pattern in product(bases, ("{0} {1}", "{1} {0}"))]
    return tuple(dict.fromkeys([name, *sided]))


def _vertebra(base: str) -> list[str]:
    group, _, level = base.rpartition(" ")
    if group in {"vertebrae", "cervical spine", "thoracic spine", "lumbar spine"}:
        return [f"vertebra {level}", f"{level} vertebra", f"{level} vertebral body", level]
    return []
