"""Reading a folder of DICOM slices: one series, sorted by place, every slice with its own rescaling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.raw.scan import Scan
from m3dbench.data.raw.series import Series, Slice, choose, find_series
from m3dbench.data.raw.stack import place_slices
from m3dbench.errors import DataError, missing_extra

_DECODERS = "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg, or write the slices again uncompressed"


def read_dicom(folder: Path, series: str | None = None) -> Scan:
    """The one series of a folder (X, Y, Z): X along the rows, Y down the columns, Z along the slice normal.

    Slices are put in order by their place along the normal, never by file name or instance number, which differ between
    makers. Values are HU: rescaled slice by slice, int16 where no slice needs fractions. A scout is left out and noted.

    Raises DataError when the folder holds several series and ``series`` names none of them, when slices are missing,
    doubled, off the line of the others or without place or pixels, and when their pixels cannot be decoded.
    """
    found, notes = find_series(folder)
    chosen = choose(folder, found, series)
    ordered, affine, more = place_slices(folder, chosen)
    first = ordered[0]
    data = np.empty((first.columns, first.rows, len(ordered)), dtype=_dtype(ordered), order="F")
    for index, one in enumerate(ordered):
        data[:, :, index] = _values(one).T
    return Scan(folder, data, affine, notes=(*notes, *_units(chosen), *more))


def _dtype(slices: list[Slice]) -> npt.DTypeLike:
    """int16 where every value of every slice is a whole number that fits."""
    whole = all(one.slope == 1 and float(one.intercept).is_integer() and one.bits <= 16 for one in slices)
    if not whole:
        return np.float32
    reach = max(abs(one.intercept) + 2 ** (one.bits - one.signed) for one in slices)
    return np.int16 if reach <= 32768 else np.int32


def _units(series: Series) -> tuple[str, ...]:
    if series.slices[0].rescaled:
        return ()
    return ("the slices have no RescaleIntercept: their values were taken as they are and may not be HU",)


def _values(one: Slice) -> npt.NDArray[Any]:
    """(rows, columns) in HU."""
    try:
        import pydicom
    except ImportError as error:
        raise missing_extra("Reading DICOM files", "data") from error
    dataset = pydicom.dcmread(one.path, force=True)
    if not any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise DataError("the slice has no pixel data", file=one.path, fix="copy or export it again, with its picture")
    try:
        stored = dataset.pixel_array
    except (NotImplementedError, RuntimeError) as error:
        return _by_simpleitk(one, error)
    except (AttributeError, ValueError, EOFError, OSError, TypeError) as error:
        raise DataError(
            f"the pixels cannot be read: {error}", file=one.path, fix="the file is damaged or cut off: copy it again"
        ) from error
    if stored.shape != (one.rows, one.columns):
        raise DataError(f"the picture has shape {stored.shape}, expected {(one.rows, one.columns)}", file=one.path)
    whole = one.slope == 1 and float(one.intercept).is_integer()
    if whole:
        return np.asarray(stored.astype(np.int32) + int(one.intercept))
    return np.asarray(stored.astype(np.float64) * one.slope + one.intercept)


def _by_simpleitk(one: Slice, reason: Exception) -> npt.NDArray[Any]:
    """What pydicom has no decoder for (JPEG lossless of older archives) GDCM often has; it rescales by itself."""
    try:
        import SimpleITK

        picture = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(one.path)))
    except (ImportError, RuntimeError) as error:
        told = str(reason).splitlines()[0]
        raise DataError(f"the pixels cannot be decoded: {told}", file=one.path, fix=_DECODERS) from error
    if picture.shape[-2:] != (one.rows, one.columns) or picture.size != one.rows * one.columns:
        raise DataError(f"the picture has shape {picture.shape}, expected one of one value a pixel", file=one.path)
    return np.asarray(picture.reshape(one.rows, one.columns))
