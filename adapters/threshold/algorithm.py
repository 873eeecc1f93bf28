"""Segmentation by classical means, from an intensity volume and the name of what is sought.

No training, no weights: thresholds from the volume's own histogram, connected components, and places in the body taken
from general anatomy. Good for lungs and bone, fair for liver, spleen, kidneys, bladder and aorta, silent on the rest.
Single ribs have no rule (their number cannot be known without a full view); a single vertebra is found by counting from
the iliac crest to the lung bases, and only where both are in view. The lobes of a lung are not parted: a lobe gets the
whole lung of its side.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from m3dbench.adapters.threshold.anatomy import Anatomy, study
from m3dbench.adapters.threshold.organs import find_organ, tube

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]
Rule = Callable[[Anatomy], BoolArray | None]

__all__ = ["Anatomy", "has_rule", "named_in", "segment", "segment_in", "study"]

_SAME = {
    "lungs": "lung",
    "bones": "bone",
    "skeleton": "bone",
    "vertebrae": "spine",
    "vertebral column": "spine",
    "vertebra": "spine",
    "ribs": "rib",
    "rib cage": "rib",
    "hips": "hip",
    "hip bone": "hip",
    "pelvis": "hip",
    "kidneys": "kidney",
    "bladder": "urinary bladder",
    "postcava": "inferior vena cava",
    "ivc": "inferior vena cava",
    "abdominal aorta": "aorta",
    "trunk": "body",
    "erector spinae": "autochthon",
}
_LONGEST = 6
"""Words in the longest name, "upper lobe of the left lung"."""
_LOBE = re.compile(r"lung (upper|middle|lower) lobe|(upper|middle|lower) lobe( of)?( the)?( lung)?|lung lobe")
_VERTEBRA = re.compile(r"(?:vertebrae?|thoracic spine|lumbar spine)? ?([tl])(\d{1,2})(?: vertebrae?)?")


def segment(
    volume: FloatArray,
    target: str,
    *,
    hu_window: tuple[float, float] | None = None,
    axes: str | None = None,
    anatomy: Anatomy | None = None,
) -> BoolArray | None:
    """The mask (D, H, W) of ``target`` in a CT volume (D, H, W), float, any linear intensity scale.

    None when there is no rule for this name or nothing is found: both mean the answer "absent". hu_window: (lo, hi) in
    HU when value = (HU - lo) / (hi - lo) is known. axes: where D, H and W grow, for example ``"SAR"`` (superior,
    anterior, patient's right); guessed from the anatomy when None. anatomy: the result of :func:`study` on this volume,
    to share its work between targets.
    """
    known = anatomy or study(volume, hu_window=hu_window, axes=axes)
    return None if known is None else segment_in(known, target)


def segment_in(anatomy: Anatomy, target: str) -> BoolArray | None:
    """Like :func:`segment`, on a volume already studied; the mask has the axes of that volume."""
    base, side = _parse(target)
    mask = _find(anatomy, base, side)
    return anatomy.restore(mask) if mask is not None and mask.any() else None


def has_rule(target: str) -> bool:
    """Whether the name has a rule, so that None from :func:`segment` would mean "not found" and not "not known"."""
    base, _ = _parse(target)
    return base in _RULES or _VERTEBRA.fullmatch(base) is not None


def named_in(text: str) -> str:
    """The first name with a rule among the words of a text, with the side before or after it; empty where none is.

    A longer name goes before a shorter one. "Body" is no name here: sentences speak of the body in passing.
    """
    words = re.sub(r"[^a-z0-9]+", " ", text.lower()).split()
    for size in range(min(_LONGEST, len(words)), 0, -1):
        for start in range(len(words) - size + 1):
            name = " ".join(words[start : start + size])
            if has_rule(name) and _parse(name)[0] != "body":
                return name
    return ""


def _parse(target: str) -> tuple[str, str | None]:
    """(what, side): lower case, the side taken out wherever it stands, one name for synonyms."""
    words = re.sub(r"[^a-z0-9]+", " ", target.lower()).split()
    sides = [word for word in words if word in ("left", "right")]
    base = " ".join(word for word in words if word not in ("left", "right", "the"))
    if _LOBE.fullmatch(base):
        base = "lung"
    return _SAME.get(base, base), sides[0] if len(set(sides)) == 1 else None


def _find(anatomy: Anatomy, base: str, side: str | None) -> BoolArray | None:
    vertebra = _VERTEBRA.fullmatch(base)
    if vertebra is not None:
        return _vertebra(anatomy, vertebra[1], int(vertebra[2]))
    whole = _RULES.get(base)
    if whole is None:
        return None
    mask = whole(anatomy)
    return mask if mask is None or side is None else anatomy.side(mask, side)


def _kidneys(anatomy: Anatomy) -> BoolArray | None:
    found = [mask for side in ("left", "right") if (mask := find_organ(anatomy, f"kidney {side}")) is not None]
    return np.logical_or.reduce(found) if found else None


def _ribs(anatomy: Anatomy) -> BoolArray:
    return anatomy.bone & ~anatomy.spine & ~anatomy.hips


def _sacrum(anatomy: Anatomy) -> BoolArray | None:
    """The lower two thirds of the spine's bone at the height of the hips."""
    tall = np.flatnonzero(anatomy.hips.any(axis=(1, 2)))
    if tall.size == 0:
        return None
    mask = anatomy.spine.copy()
    mask[tall[0] + int(np.ceil(0.68 * tall.size)) :] = False
    return mask


def _back_muscle(anatomy: Anatomy) -> BoolArray:
    """Soft tissue behind the vertebrae, beside the midline."""
    frame = anatomy.frame
    _, height, width = anatomy.hu.shape
    behind = (np.arange(height)[None, :, None] - frame.spine_row[:, None, None]) / frame.size[1]
    beside = np.abs(np.arange(width)[None, None, :] - anatomy.midline) / frame.size[2]
    place = (behind < 0.0) & (behind > -0.26) & (beside < 0.19) & anatomy.body & ~anatomy.bone
    return np.asarray(place & (anatomy.hu > -20) & (anatomy.hu < 130))


def _vertebra(anatomy: Anatomy, group: str, number: int) -> BoolArray | None:
    """One vertebra by counting: the iliac crest stands at L4, the lung bases reach to L1, heights being alike."""
    level = number if group == "l" else number - 12
    hips = np.flatnonzero(anatomy.hips.any(axis=(1, 2)))
    lungs = np.flatnonzero(anatomy.lungs.any(axis=(1, 2)))
    if not hips.size or not lungs.size or not -11 <= level <= 5 or number < 1:
        return None
    crest, base = float(hips[-1] + 1), float(lungs[0])
    height = (base - crest) / 3
    if height < 1:
        return None
    middle = crest + (4 - level) * height
    start, stop = round(middle - height / 2), round(middle + height / 2)
    mask = np.zeros_like(anatomy.spine)
    if stop > 0:
        mask[max(0, start) : stop] = anatomy.spine[max(0, start) : stop]
    return mask


def _organ(name: str) -> Rule:
    return lambda anatomy: find_organ(anatomy, name)


_RULES: dict[str, Rule] = {
    "body": lambda anatomy: anatomy.body,
    "lung": lambda anatomy: anatomy.lungs,
    "bone": lambda anatomy: anatomy.bone,
    "spine": lambda anatomy: anatomy.spine,
    "sacrum": _sacrum,
    "rib": _ribs,
    "hip": lambda anatomy: anatomy.hips,
    "kidney": _kidneys,
    "liver": _organ("liver"),
    "spleen": _organ("spleen"),
    "urinary bladder": _organ("urinary bladder"),
    "heart": _organ("heart"),
    "aorta": lambda anatomy: tube(anatomy, -0.035, 0.03, 0.035),
    "inferior vena cava": lambda anatomy: tube(anatomy, 0.05, 0.06, 0.04),
    "autochthon": _back_muscle,
}
