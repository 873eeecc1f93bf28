"""Masks that users hand in as files: NIfTI, npz or npy."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.arrays import need_file
from m3dbench.data.files import inside, load_mask
from m3dbench.data.sample import MaskRef
from m3dbench.errors import DataError, missing_extra


@dataclass(frozen=True)
class MaskFile:
    """A mask (D, H, W) with its spacing in mm (D, H, W) where the file tells it, and its affine (4, 4) for NIfTI."""

    mask: npt.NDArray[np.bool_]
    spacing: tuple[float, float, float] | None = None
    affine: npt.NDArray[np.float64] | None = None


def read_mask_file(root: Path, path: str) -> MaskFile:
    """Read one mask file under ``root``.

    A NIfTI is brought to the closest RAS orientation and its axes to (D, H, W) = (superior, anterior, right).
    Raises DataError naming the file.
    """
    if path.endswith((".nii", ".nii.gz")):
        return _nifti(inside(root, path), path)
    return MaskFile(load_mask(root, MaskRef(path)))


def _nifti(file: Path, path: str) -> MaskFile:
    try:
        import nibabel
    except ImportError as error:
        raise missing_extra("reading NIfTI masks", "data") from error
    need_file(file, path)
    try:
        native: Any = nibabel.load(file)
        if (
            native.affine is None
            or not np.isfinite(native.affine).all()
            or abs(np.linalg.det(native.affine[:3, :3])) < 1e-9
        ):
            raise DataError("the affine is singular", file=path, field="affine", fix="write a header with voxel sizes")
        image: Any = nibabel.as_closest_canonical(native)  # type: ignore[no-untyped-call]
        array = np.asarray(image.dataobj)
    except (nibabel.filebasedimages.ImageFileError, EOFError, OSError, ValueError, zlib.error) as error:
        raise DataError(f"cannot be read as NIfTI: {error}", file=path) from error
    if array.ndim != 3:
        raise DataError(f"has shape {array.shape}, expected a 3D mask", file=path)
    values = np.unique(array)
    if not np.isin(values, (0, 1)).all():
        raise DataError(
            f"is not binary: holds {values[:5].tolist()}", file=path, fix="write one object a file, 0 and 1"
        )
    x, y, z = (float(size) for size in image.header.get_zooms()[:3])
    return MaskFile(np.ascontiguousarray(array.transpose(2, 1, 0)) > 0, (z, y, x), np.asarray(image.affine))
