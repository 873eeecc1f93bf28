"""Sizes that the paper and the releases state, for files that bear the official names.

Sources: arXiv 2404.00578 (tables and appendix), the dataset cards of M3D-VQA, M3D-Seg and M3D-RefSeg on the hub.
"""

from __future__ import annotations

from collections.abc import Mapping

_SIZES: Mapping[tuple[str, str], Mapping[str, int]] = {
    ("M3D-VQA", "test"): {"rows": 13791, "images": 2000},
    ("M3D-VQA", "test5k"): {"rows": 5000, "images": 1000},
    ("M3D-RefSeg", "all"): {"rows": 2778, "images": 210},
    ("M3D-Cap", "test"): {"items": 2000},
    ("M3D-Cap", "test1k"): {"items": 1000},
    ("M3D-Cap", "test500"): {"items": 500},
    ("M3D-Cap", "test100"): {"items": 100},
}
_CLASSES = (1, 30, 15, 4, 3, 4, 2, 13, 1, 47, 13, 104, 6, 16, 28, 28, 1, 3, 1, 2, 2, 1, 2, 1, 3)
_TEST_VOLUMES = (4, 9, 48, 200, 98, 14, 42, 6, 17, 4, 10, 241, 28, 20, 16, 13, 4, 17, 26, 61, 27, 13, 57, 9, 178)
"""Of the M3D-Seg codes 0000 to 0024."""


def published(dataset: str, split: str) -> dict[str, int]:
    """The stated sizes of a split, empty where none are stated. For M3D-Seg the split is "<code> test"."""
    if dataset != "M3D-Seg":
        return dict(_SIZES.get((dataset, split), {}))
    code, _, part = split.partition(" ")
    if part != "test" or not code.isdigit() or len(code) != 4 or int(code) >= len(_CLASSES):
        return {}
    classes, volumes = _CLASSES[int(code)], _TEST_VOLUMES[int(code)]
    return {"items": classes * volumes, "volumes": volumes}
