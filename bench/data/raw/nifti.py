"""Reading NIfTI scans and masks, with every way a file can be wrong told as a :class:`UserError`."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from m3dbench.data.raw.scan import Scan
from m3dbench.errors import DataError, missing_extra

_Result = TypeVar("_Result")


def read_nifti(path: Path) -> Scan:
    """Read a CT volume: values with the file's slope and intercept applied, integers where the file has none.

    Raises DataError when the file cannot be read, is not 3-D, has a singular or unset affine, or holds values that are
    not finite.
    """
    scan = _read(path)
    if scan.data.dtype.kind == "f" and not np.isfinite(scan.data).all():
        raise DataError("the scan holds NaN or infinite values", file=path, fix="write it again with finite HU values")
    return scan


def read_floats(path: Path) -> Scan:
    """Read a volume as float64, scaled in that precision, as nibabel's ``get_fdata`` gives it. Raises as read_nifti."""
    scan = _read(path, np.float64)
    if not np.isfinite(scan.data).all():
        raise DataError("the scan holds NaN or infinite values", file=path, fix="write it again with finite values")
    return scan


def read_labels(path: Path, like: Scan) -> npt.NDArray[Any]:
    """Read a mask or label file (X, Y, Z), whole numbers, on the voxels of ``like``. Axes that are stored in another
    order or direction than the scan's (as after a conversion from DICOM) are brought to it by the affines.

    Raises DataError when it cannot be read, holds fractions, or has another shape or affine than the scan.
    """
    labels = _along(_read(path), like)
    if labels.shape != like.shape:
        raise DataError(
            f"the labels have shape {labels.shape}, the scan {like.path.name} has {like.shape}",
            file=path,
            field="shape",
            fix="resample the labels to the scan's voxels",
        )
    if not np.allclose(labels.affine, like.affine, atol=0.01, rtol=1e-4):
        raise DataError(
            f"the labels lie elsewhere in space than the scan {like.path.name}",
            file=path,
            field="affine",
            fix="resample the labels to the scan's voxels, or copy the scan's affine if only the header is wrong",
        )
    if labels.data.dtype.kind != "f":
        return np.asarray(labels.data)
    whole = np.rint(labels.data)
    if not np.isfinite(labels.data).all() or not np.array_equal(whole, labels.data):
        raise DataError("the labels are not whole numbers", file=path, fix="resample labels with nearest neighbour")
    return np.asarray(whole, dtype=np.int32)


def _along(labels: Scan, like: Scan) -> Scan:
    """The labels with their axes ordered and flipped as those of ``like``; the same voxels at the same places."""
    from nibabel import orientations

    tools: Any = orientations
    change = tools.ornt_transform(tools.io_orientation(labels.affine), tools.io_orientation(like.affine))
    back = tools.inv_ornt_aff(change, labels.shape)
    return replace(labels, data=tools.apply_orientation(labels.data, change), affine=labels.affine @ back)


def _read(path: Path, floats: type[np.floating[Any]] = np.float32) -> Scan:
    try:
        import nibabel
        from nibabel.filebasedimages import ImageFileError
    except ImportError as error:
        raise missing_extra("Reading NIfTI files", "data") from error

    def load() -> tuple[npt.NDArray[Any], npt.NDArray[np.float64], bool]:
        image: Any = nibabel.load(path)
        header = image.header
        placed = not hasattr(header, "get_sform") or bool(header["sform_code"]) or bool(header["qform_code"])
        plain = header.get_slope_inter() in ((None, None), (1.0, 0.0)) if hasattr(header, "get_slope_inter") else False
        whole = plain and header.get_data_dtype().kind in "iu" and floats is np.float32
        # nibabel scales in float64, twice the memory that HU need.
        data = np.asarray(image.dataobj) if whole else image.get_fdata(dtype=floats, caching="unchanged")
        return data, np.asarray(image.affine, dtype=np.float64), placed

    data, affine, placed = _guarded(load, path, ImageFileError)
    if data.ndim != 3:
        raise DataError(
            f"has shape {data.shape}, expected three axes", file=path, field="shape", fix="write one 3-D volume a file"
        )
    if 0 in data.shape:
        raise DataError(f"has shape {data.shape}: no voxels", file=path, field="shape")
    if not placed:
        raise DataError(
            "says nothing of its orientation (sform_code and qform_code are 0), so left and right are unknown",
            file=path,
            field="sform_code",
            fix="write the affine with a code above 0",
        )
    volume = abs(float(np.linalg.det(affine[:3, :3]))) if np.isfinite(affine).all() else 0.0
    if volume < 1e-9:
        raise DataError("the affine is singular", file=path, field="affine", fix="write a header with voxel sizes")
    return Scan(path, data, affine)


def _guarded(load: Callable[[], _Result], path: Path, image_error: type[Exception]) -> _Result:
    try:
        return load()
    except FileNotFoundError as error:
        raise DataError("the file is missing", file=path) from error
    except image_error as error:
        raise DataError("is no NIfTI file", file=path, fix="give a .nii or .nii.gz file") from error
    except (EOFError, OSError, zlib.error, ValueError) as error:
        raise DataError(
            f"cannot be read: {error}", file=path, fix="the file is damaged or cut off: copy it again"
        ) from error
