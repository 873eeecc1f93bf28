"""The phantom in the forms that M3D's data come in before preparation: picture stacks, sparse masks, NIfTI."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from . import resample
from .cap import raw_text, series_name
from .case import Case, draw
from .facts import facts_of
from .files import Files
from .labels import DATASETS
from .plan import CapCase, Sizes, cap_cases, refseg_cases, seg_volumes
from .refseg import describe
from .seg import dataset_json

Grid = tuple[int, int, int]


class MissingExtraError(ImportError):
    """A package of the extra ``data`` is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"raw phantom data need {package}: pip install 'm3dbench[data]'")


def _slice(pixels: npt.NDArray[np.uint8], kind: str) -> bytes:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pillow") from error
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind)
    return buffer.getvalue()


def _nifti(volume: npt.NDArray[Any], spacing: tuple[float, float, float]) -> bytes:
    """(D, H, W) as a gzipped NIfTI file over (x, y, z); the affine says that x, y, z run to left, back and feet."""
    try:
        import nibabel
    except ImportError as error:
        raise MissingExtraError("nibabel") from error
    affine = np.diag([-spacing[2], -spacing[1], -spacing[0], 1.0])
    nifti: Any = nibabel.nifti1
    image = nifti.Nifti1Image(np.ascontiguousarray(volume.transpose(2, 1, 0)), affine)
    return gzip.compress(bytes(image.to_bytes()), mtime=0)


def _stack(files: Files, folder: str, case: Case, *, awkward: bool) -> None:
    """A series, one picture a slice, numbered from 1. ``awkward``: with a scout of another shape and a broken file."""
    picture = resample.picture(case.hu, case.facts.setting)
    kind = "jpeg" if case.facts.setting in resample.DISPLAY else "png"
    for index, pixels in enumerate(picture):
        files.data(f"{folder}/{index + 1}.{kind}", _slice(pixels, kind))
    if awkward:
        files.data(f"{folder}/0.{kind}", _slice(np.ascontiguousarray(picture[0, ::2, ::2]), kind))
        files.data(f"{folder}/{len(picture) + 1}.{kind}", b"not a picture")


def _write_cap(files: Files, case: CapCase, seed: int, grid: Grid, *, awkward: bool) -> None:
    folder = f"M3D_Cap/{case.folder}"
    if f"{folder}/text.txt" not in files.digests:
        files.text(f"{folder}/text.txt", raw_text(case, seed))
    series = facts_of(case.drawn, seed=seed).series
    for index in case.series:
        plane, setting = series[index]
        drawn = draw(case.drawn, seed=seed, grid=grid, plane=plane, setting=setting)
        _stack(files, f"{folder}/{series_name(plane, setting)}", drawn, awkward=awkward and index == 0)


def _write_seg(
    files: Files, folder: str, drawn: str, classes: tuple[str, ...], seed: int, grid: Grid
) -> dict[str, str]:
    case = draw(drawn, seed=seed, grid=grid, plane="Axial")
    masks = np.stack([case.mask(name).swapaxes(0, 2) for name in classes]).astype(np.int32)
    buffer = io.BytesIO()
    sparse.save_npz(buffer, sparse.csr_matrix(masks.reshape(len(classes), -1)))
    label = f"{folder}/mask_{masks.shape}.npz"
    files.data(f"M3D_Seg/{label}", buffer.getvalue())
    files.array(f"M3D_Seg/{folder}/image.npy", resample.z_score(case.hu).swapaxes(0, 2)[None])
    return {"image": f"{folder}/image.npy", "label": label}


def write_raw(files: Files, sizes: Sizes, seed: int, grid: Grid, step: Callable[[], None]) -> None:
    """Write ``M3D_Cap`` (uint8 pictures), ``M3D_Seg`` (image (1, W, H, D), masks as CSR of C x WHD with the shape in
    the name) and ``M3D_RefSeg`` (NIfTI over (W, H, D)).

    Raises ``MissingExtraError`` without pillow or nibabel.
    """
    for number, case in enumerate(cap_cases(sizes, seed)):
        _write_cap(files, case, seed, grid, awkward=number % 5 == 1)
        step()
    for code, classes in DATASETS.items():
        lists: dict[str, list[dict[str, str]]] = {"train": [], "test": []}
        for volume in seg_volumes(code, sizes):
            lists[volume.split].append(_write_seg(files, volume.folder, volume.drawn, classes, seed, grid))
            step()
        files.json(f"M3D_Seg/{code}/{code}.json", dataset_json(code, lists, sizes.volumes(code)))
    files.json("M3D_Seg/dataset_info.json", {code: list(names) for code, names in DATASETS.items()})
    for name, _ in refseg_cases(sizes, seed):
        drawn = draw(f"RefSeg/{name}", seed=seed, grid=grid, plane="Axial")
        ids = np.zeros(grid, dtype=np.uint8)
        for index in range(len(drawn.facts.findings)):
            ids[drawn.finding_mask(index)] = index + 1
        files.data(f"M3D_RefSeg/{name}/ct.nii.gz", _nifti(drawn.hu, drawn.spacing))
        files.data(f"M3D_RefSeg/{name}/mask.nii.gz", _nifti(ids, drawn.spacing))
        files.json(
            f"M3D_RefSeg/{name}/text.json", {str(i + 1): describe(f) for i, f in enumerate(drawn.facts.findings)}
        )
        step()
