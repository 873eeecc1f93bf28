"""``mask_(C, X, Y, Z).npz`` of the M3D-Seg release: a sparse matrix of C x XYZ whose shape stands in the file name."""

from __future__ import annotations

import ast
import math
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.errors import DataError

_NAME = re.compile(r"\((?:\s*\d+\s*,){3}\s*\d+\s*\)")
MAX_VOXELS = 2**32
"""Of one class; larger than any CT, small enough to be a mistake."""


@dataclass(frozen=True)
class SparseMasks:
    """shape: (C, X, Y, Z)."""

    shape: tuple[int, int, int, int]
    rows: Any

    def count(self, index: int) -> int:
        """Entries of a class that are not 0."""
        return int(np.count_nonzero(self._values(index)))

    def dense(self, index: int) -> npt.NDArray[np.bool_]:
        """The mask of a class (X, Y, Z)."""
        flat = np.zeros(math.prod(self.shape[1:]), dtype=np.bool_)
        flat[self.rows.indices[self._span(index)]] = self._values(index) != 0
        return flat.reshape(self.shape[1:])

    def _values(self, index: int) -> npt.NDArray[Any]:
        return np.asarray(self.rows.data[self._span(index)])

    def _span(self, index: int) -> slice:
        return slice(int(self.rows.indptr[index]), int(self.rows.indptr[index + 1]))


def shape_in_name(path: Path) -> tuple[int, int, int, int]:
    """Raises DataError for a name without four sizes."""
    found = _NAME.search(path.name)
    if found is None:
        raise DataError("the name does not tell the shape", file=path, fix="the release names it mask_(C, X, Y, Z).npz")
    classes, width, height, depth = ast.literal_eval(found.group())
    if not 0 < width * height * depth <= MAX_VOXELS or classes < 1:
        raise DataError("the shape in the name cannot be", file=path, field="name")
    return classes, width, height, depth


def read_masks(path: Path) -> SparseMasks:
    """Read the matrix; nothing is unpickled, and no class is unpacked before it is asked for.

    Raises DataError when the file is missing, damaged, no sparse matrix, or of another size than its name says.
    """
    shape = shape_in_name(path)
    from scipy import sparse

    try:
        matrix: Any = sparse.load_npz(path)
    except FileNotFoundError as error:
        raise DataError("the mask file is missing", file=path) from error
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, NotImplementedError) as error:
        pickled = "pickle" in str(error).lower()
        told = "holds a pickle, which is never loaded" if pickled else f"cannot be read as a sparse matrix: {error}"
        raise DataError(told, file=path, fix="copy or download it again") from error
    if matrix.shape != (shape[0], math.prod(shape[1:])):
        raise DataError(f"holds a matrix of {matrix.shape}, its name says {shape}", file=path, field="shape")
    rows = matrix.tocsr()
    rows.sum_duplicates()
    return SparseMasks(shape, rows)
