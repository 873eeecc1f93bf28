"""Reading the files of a data set: inside its root, never pickled, and with errors that say what is wrong."""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from m3dbench.data.arrays import array_header, read_array, unreachable
from m3dbench.data.sample import FileRef, MaskRef
from m3dbench.errors import DataError, UserError

if TYPE_CHECKING:
    from m3dbench.data.geometry import Geometry

Volume = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Change = Callable[[FileRef, Volume], Volume]


def inside(root: Path, path: str) -> Path:
    """The real file that a data set's path means.

    Raises DataError when the path leaves the data root, by ``..``, absolutely or through a symbolic link, or when it
    is a loop of links.
    """
    base = _real(os.path.abspath(root))  # noqa: PTH100 - Path.resolve takes three times as long, at every file
    try:
        resolved = os.path.realpath(os.path.join(base, path))  # noqa: PTH118
    except (OSError, ValueError) as error:
        raise unreachable(error, path) from error
    if resolved != base and not resolved.startswith(base.rstrip(os.sep) + os.sep):
        raise DataError(
            "the path leaves the data root", file=path, fix=f"keep every file under {root}", kind="outside_root"
        )
    return Path(resolved)


@lru_cache(maxsize=16)
def _real(root: str) -> str:
    return os.path.realpath(root)


def _spatial(array: npt.NDArray[Any], path: str) -> npt.NDArray[Any]:
    if array.ndim == 3:
        return array[np.newaxis]
    if array.ndim != 4 or array.shape[0] != 1:
        raise DataError(f"has shape {array.shape}, expected (1, D, H, W)", file=path, kind="wrong_shape")
    return array


def load_volume(root: Path, ref: FileRef) -> Volume:
    """A prepared volume (1, D, H, W), float32, as stored (M3D-Data keeps 0..1).

    Raises DataError when it is missing, truncated, pickled, of the wrong shape, not numeric, not finite or constant.
    """
    array = _spatial(read_array(inside(root, ref.path), ref.path), ref.path)
    if array.dtype.kind not in "fiub":
        raise DataError(f"has dtype {array.dtype}, expected numbers", file=ref.path, kind="wrong_dtype")
    volume = np.ascontiguousarray(array, dtype=np.float32)
    if volume.size == 0:
        raise DataError(f"has shape {array.shape}: no voxels", file=ref.path, kind="wrong_shape")
    if not np.isfinite(volume).all():
        raise DataError("holds NaN or infinite values", file=ref.path, kind="not_finite")
    if volume.min() == volume.max():
        raise DataError(f"is constant ({volume.flat[0]:g} everywhere)", file=ref.path, kind="constant")
    return volume


def load_mask(root: Path, ref: MaskRef) -> Mask:
    """A mask (D, H, W). M3D-Data writes an absent class as zeros of shape (1, 1, 1, 1), which gives (1, 1, 1) False.

    Raises DataError when it cannot be read, has the wrong shape, or is not binary where it has to be.
    """
    array = _spatial(read_array(inside(root, ref.path), ref.path), ref.path)[0]
    if ref.label is not None:
        labelled: Mask = np.asarray(array == ref.label)
        return labelled
    if array.dtype == np.bool_:
        binary: Mask = np.asarray(array, dtype=np.bool_)
        return binary
    if array.dtype.kind not in "fiu" or not np.isin(np.unique(array), (0, 1)).all():
        raise DataError(f"is not binary (dtype {array.dtype})", file=ref.path, kind="not_binary")
    from_numbers: Mask = array.astype(np.bool_)
    return from_numbers


class DataFiles:
    """The array files of one data root, with the last few volumes kept, since questions on one volume come in a row.

    ``change`` replaces the voxels of a volume, but not its grid, once it has passed the checks of loading.
    Not for use by several threads; its own, of ``read_ahead``, read files and touch nothing else.
    """

    def __init__(self, root: Path, keep: int = 4, change: Change = lambda _, volume: volume) -> None:
        self.root = root
        self._change = change
        self._keep = keep
        self._volumes: OrderedDict[str, Volume] = OrderedDict()
        self._geometry: tuple[str, Geometry | None] | None = None
        self._ahead: dict[str, Future[Volume]] = {}
        self._readers: ThreadPoolExecutor | None = None

    def keep_at_least(self, count: int) -> None:
        """Keep this many volumes, if it were fewer: those of a whole batch."""
        self._keep = max(self._keep, count)

    def read_ahead(self, refs: Iterable[FileRef | None]) -> None:
        """Read volumes in the background, kept beside the others until they are asked for; an error waits so too."""
        for ref in refs:
            if ref is not None and ref.path not in self._volumes and ref.path not in self._ahead:
                self._readers = self._readers or ThreadPoolExecutor(2, thread_name_prefix="volumes")
                self._ahead[ref.path] = self._readers.submit(load_volume, self.root, ref)

    def volume(self, ref: FileRef | None) -> Volume:
        """See ``load_volume``; the array is shared and read-only."""
        if ref is None:
            raise DataError("the sample names no volume", fix="give --data DIR")
        if ref.path not in self._volumes:
            ahead = self._ahead.pop(ref.path, None)
            volume = self._change(ref, load_volume(self.root, ref) if ahead is None else ahead.result())
            volume.flags.writeable = False
            self._volumes[ref.path] = volume
            while len(self._volumes) > self._keep:
                self._volumes.popitem(last=False)
        self._volumes.move_to_end(ref.path)
        return self._volumes[ref.path]

    def grid(self, ref: FileRef | None) -> tuple[int, int, int] | None:
        """(D, H, W) of a volume from its header alone; None where it cannot be read."""
        if ref is None:
            return None
        if ref.path in self._volumes:
            depth, height, width = self._volumes[ref.path].shape[-3:]
            return depth, height, width
        try:
            shape = array_header(inside(self.root, ref.path), ref.path).shape
        except DataError:
            return None
        return (shape[-3], shape[-2], shape[-1]) if len(shape) >= 3 else None

    def spacing(self, ref: FileRef | None) -> tuple[float, float, float] | None:
        """mm per voxel (D, H, W) of a volume's grid; None where its geometry is not known. Raises as ``geometry``."""
        geometry = self.geometry(ref)
        return None if geometry is None else geometry.spacing_mm

    def geometry(self, ref: FileRef | None) -> Geometry | None:
        """How a volume came from its scan, as ``geometry.json`` beside it says; None where there is none.

        Raises DataError when that file is torn, speaks of another grid, or names lengths that are not positive.
        """
        if ref is None:
            return None
        if self._geometry is None or self._geometry[0] != ref.path:
            self._geometry = (ref.path, self._read_geometry(ref))
        return self._geometry[1]

    def _read_geometry(self, ref: FileRef) -> Geometry | None:
        from m3dbench.data.geometry import FILE_NAME, read_geometry

        path = str(PurePosixPath(ref.path).with_name(FILE_NAME))
        file = inside(self.root, path)
        if not file.is_file():
            return None
        try:
            geometry = read_geometry(file)
        except UserError as error:
            raise DataError(error.message, file=path, field=error.field, fix=error.fix) from error
        grid = self.grid(ref)
        if grid is not None and grid != geometry.grid:
            raise DataError(f"is of a grid {geometry.grid}, the volume has {grid}", file=path, field="grid")
        if not all(math.isfinite(size) and size > 0 for size in geometry.spacing_mm):
            raise DataError(f"is {geometry.spacing_mm}, expected lengths in mm", file=path, field="spacing_mm")
        return geometry

    def mask(self, ref: MaskRef | None) -> Mask:
        """See ``load_mask``."""
        if ref is None:
            raise DataError("the sample names no mask", fix="give --data DIR")
        return load_mask(self.root, ref)
