"""Reading an npy volume, which says nothing of its place in space."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m3dbench.data.raw.scan import Scan
from m3dbench.errors import DataError


def read_array(path: Path) -> Scan:
    """A volume (D, H, W) or (1, D, H, W) as a scan (W, H, D) with the identity as affine, ``placed`` False: its axes
    are taken to run to superior, anterior and right, its voxels to be 1 mm wide.

    Raises DataError when it cannot be read, holds a pickle, is no such array or holds values that are not finite.
    """
    if not path.is_file():
        raise DataError("the file is missing", file=path)
    try:
        data = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        pickled = "pickle" in str(error).lower()
        told = "holds a pickle, which is never loaded" if pickled else f"cannot be read: {error}"
        raise DataError(f"the array {told}", file=path) from error
    if not isinstance(data, np.ndarray) or data.ndim not in (3, 4) or (data.ndim == 4 and data.shape[0] != 1):
        raise DataError(
            f"has shape {getattr(data, 'shape', None)}, expected (D, H, W) or (1, D, H, W)", file=path, field="shape"
        )
    if data.size == 0:
        raise DataError(f"has shape {data.shape}: no voxels", file=path, field="shape")
    if data.dtype.kind not in "fiub":
        raise DataError(f"has dtype {data.dtype}, expected numbers", file=path, field="dtype")
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        raise DataError("the scan holds NaN or infinite values", file=path, fix="write it again with finite values")
    return Scan(path, data.reshape(data.shape[-3:]).transpose(2, 1, 0), np.eye(4), placed=False)
