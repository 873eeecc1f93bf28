"""Reading scans as they come: NIfTI files, folders of DICOM slices, npy arrays."""

from __future__ import annotations

from pathlib import Path

from m3dbench.data.raw.scan import Scan

__all__ = ["Scan", "read_scan"]


def read_scan(path: Path, series: str | None = None) -> Scan:
    """A CT volume from a NIfTI file, a folder of DICOM slices (of its subfolders too) or an ``.npy`` file.

    Values are as the file means them (rescaled where it says how), integers where that loses nothing. ``series`` picks
    one of several DICOM series in a folder, by its number in the list that the error shows, its UID or its description.

    Raises DataError naming the file for everything that cannot be read or would give a wrong volume: no three axes, a
    singular or unset affine, values that are not finite, mixed series, missing or doubled slices.
    """
    if path.is_dir():
        from m3dbench.data.raw.dicom import read_dicom

        return read_dicom(path, series)
    if path.suffix == ".npy":
        from m3dbench.data.raw.array import read_array

        return read_array(path)
    from m3dbench.data.raw.nifti import read_nifti

    return read_nifti(path)
