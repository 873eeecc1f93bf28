"""Array files, npy and npz: what a file declares is checked before anything of it is unpacked."""

from __future__ import annotations

import errno
import math
import os
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from m3dbench.errors import DataError

LIMIT_BYTES = 2 << 30
"""No array of a data set is larger; a prepared volume has 8 MiB, a native scan seldom more than 0.5 GiB."""
_NPY, _ZIP, _PICKLE = b"\x93NUMPY", b"PK", b"\x80"
_AGAIN = "the file is damaged or cut off: copy it again"


@dataclass(frozen=True)
class Header:
    """Shape and dtype that a file declares."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool = False

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def need_file(file: Path, told: str | Path) -> int:
    """The size in bytes of a regular file; ``told`` is its name in messages.

    Raises DataError when it is missing, empty, a directory, a loop of symbolic links, or cannot be looked at.
    """
    try:
        found = file.stat()
    except FileNotFoundError as error:
        raise DataError(
            "the file is missing",
            file=told,
            fix="copy it there; `m3dbench data check` finds all that is missing",
            kind="missing_file",
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise unreachable(error, told) from error
    if stat.S_ISDIR(found.st_mode):
        raise DataError("is a directory, expected a file", file=told, fix="put the file in its place", kind="no_file")
    if not stat.S_ISREG(found.st_mode):
        raise DataError("is no regular file", file=told, kind="no_file")
    if found.st_size == 0:
        raise DataError("the file is empty", file=told, fix="copy it again: it has no bytes", kind="empty_file")
    return found.st_size


def unreachable(error: Exception, told: str | Path) -> DataError:
    """What keeps a path from being followed, in words."""
    if getattr(error, "errno", None) == errno.ELOOP or isinstance(error, RuntimeError):
        return DataError(
            "is a loop of symbolic links", file=told, fix="replace the link by the file", kind="symlink_loop"
        )
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return DataError(f"cannot be opened: {reason}", file=told)


def array_header(file: Path, told: str | Path) -> Header:
    """Shape and dtype of an npy file, or of the one array in an npz file; see ``read_array`` for the errors."""
    size = need_file(file, told)
    try:
        with file.open("rb") as stream:
            start = stream.read(len(_NPY))
            stream.seek(0)
            if start.startswith(_ZIP):
                return _member(stream, told)[1]
            return _npy_header(stream, size, start, told)
    except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(f"the array cannot be read: {error}", file=told, fix=_AGAIN) from error


def read_array(file: Path, told: str | Path) -> npt.NDArray[Any]:
    """The array of an npy file, or the one array of an npz file.

    Raises DataError when it is missing, empty, a directory, truncated, a pickle, declares more than ``LIMIT_BYTES``, or
    holds no or several arrays. Nothing is unpacked before the declared size is known.
    """
    size = need_file(file, told)
    try:
        with file.open("rb") as stream:
            start = stream.read(len(_NPY))
            stream.seek(0)
            if start.startswith(_ZIP):
                name = _member(stream, told)[0]
                with zipfile.ZipFile(stream) as archive, archive.open(name) as member:
                    return np.asarray(np.lib.format.read_array(member, allow_pickle=False))
            header = _npy_header(stream, size, start, told)
            flat = np.fromfile(stream, header.dtype, math.prod(header.shape))
            return flat.reshape(header.shape, order="F" if header.fortran else "C")
    except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(f"the array cannot be read: {error}", file=told, fix=_AGAIN) from error


def _npy_header(stream: IO[bytes], size: int, start: bytes, told: str | Path) -> Header:
    """The header of an npy stream of ``size`` bytes, compared with that size."""
    if start.startswith(_PICKLE):
        raise _pickled(told)
    if start != _NPY:
        raise DataError("is no npy or npz file", file=told, fix="write it with numpy.save")
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise DataError(f"is an npy file of version {version}, which holds no plain numbers", file=told)
    if dtype.hasobject:
        raise _pickled(told)
    header = Header(tuple(int(length) for length in shape), dtype, fortran)
    if header.nbytes > LIMIT_BYTES:
        raise _too_large(header.nbytes, told)
    there = size - stream.tell()
    if there < header.nbytes:
        raise DataError(
            f"the array is truncated: {header.shape} of {dtype} needs {header.nbytes:,} bytes, {there:,} are there",
            file=told,
            fix=_AGAIN,
            kind="truncated",
        )
    return header


def _member(stream: IO[bytes], told: str | Path) -> tuple[str, Header]:
    """Name and header of the one array in an npz archive."""
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if len(members) != 1:
            raise DataError(f"holds {len(members)} arrays, expected one", file=told)
        if members[0].file_size > LIMIT_BYTES:
            raise _too_large(members[0].file_size, told)
        with archive.open(members[0]) as member:
            start = member.read(len(_NPY))
        with archive.open(members[0]) as member:
            return members[0].filename, _npy_header(member, members[0].file_size, start, told)


def _pickled(told: str | Path) -> DataError:
    return DataError(
        "the array holds a pickle, which is never loaded",
        file=told,
        fix="write it as plain numbers with numpy.save",
        kind="pickle",
    )


def _too_large(nbytes: int, told: str | Path) -> DataError:
    return DataError(
        f"the array declares {nbytes / 2**30:,.1f} GiB, more than the {LIMIT_BYTES / 2**30:g} GiB that are read",
        file=told,
        fix="prepare the volume first (32x256x256); nothing of it was unpacked",
        kind="too_large",
    )
