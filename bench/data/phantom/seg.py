"""M3D-Seg of the phantom: one volume and one mask file per class, absent classes included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from m3dbench.data.geometry import FILE_NAME, to_json

from . import resample
from .case import draw
from .definitions import DEFINITIONS
from .files import Files
from .labels import DATASETS
from .place import geometry_of
from .plan import Sizes, seg_volumes

ROOT = "M3D_Seg_npy"
_TITLES = {"0003": "AbdomenCT-1k", "0011": "TotalSegmentator (a dozen classes)", "0012": "CT-ORG"}
Grid = tuple[int, int, int]


def dataset_json(code: str, lists: dict[str, list[dict[str, str]]], volumes: tuple[int, int]) -> dict[str, object]:
    """The Decathlon-style description; ``numTrain`` and ``numTest`` count volumes although the lists go by class."""
    labels = {"0": "background"} | {str(index + 1): name for index, name in enumerate(DATASETS[code])}
    return {
        "name": f"{code} phantom of {_TITLES[code]}",
        "description": "synthetic volumes, not patients",
        "tensorImageSize": "4D",
        "modality": {"0": "CT"},
        "labels": labels,
        "numTrain": volumes[0],
        "numTest": volumes[1],
        **lists,
    }


def _write_volume(
    files: Files, folder: str, drawn: str, classes: tuple[str, ...], seed: int, grid: Grid
) -> list[dict[str, str]]:
    case = draw(drawn, seed=seed, grid=grid, plane="Axial")
    values = resample.unit(resample.z_score(case.hu))
    box = resample.foreground(values)
    files.array(f"{ROOT}/{folder}/image.npy", resample.fit(values, grid))
    files.json(f"{ROOT}/{folder}/{FILE_NAME}", to_json(geometry_of(case, box, resample.bright_window(case.hu))))
    items: list[dict[str, str]] = []
    for index, name in enumerate(classes):
        mask = resample.nearest(case.mask(name)[box], grid)[None]
        path = f"{folder}/masks/mask_{index}.npy"
        # Upstream writes a class with no voxel as a single zero voxel and lists it all the same.
        files.array(f"{ROOT}/{path}", mask if mask.any() else np.zeros((1, 1, 1, 1), dtype=np.bool_))
        items.append({"image": f"{folder}/image.npy", "label": path})
    return items


def write_seg(files: Files, sizes: Sizes, seed: int, grid: Grid, step: Callable[[], None]) -> None:
    """Write ``M3D_Seg_npy``: images float32 (1, D, H, W) in [0, 1], masks bool (1, D, H, W), absent ones (1, 1, 1, 1),
    and each volume's ``geometry.json``.

    D runs from head to feet, H from front to back, W from the patient's right to left. Paths in the JSON files are
    relative to ``M3D_Seg_npy``.
    """
    for code, classes in DATASETS.items():
        lists: dict[str, list[dict[str, str]]] = {"train": [], "test": []}
        for volume in seg_volumes(code, sizes):
            lists[volume.split] += _write_volume(files, volume.folder, volume.drawn, classes, seed, grid)
            step()
        files.json(f"{ROOT}/{code}/{code}.json", dataset_json(code, lists, sizes.volumes(code)))
    files.json(f"{ROOT}/dataset_info.json", {code: list(names) for code, names in DATASETS.items()})
    files.json(f"{ROOT}/term_dictionary.json", {name: list(texts) for name, texts in DEFINITIONS.items()})
