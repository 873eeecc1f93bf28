"""Embeddings that users hand in as a file: npz with ``id``, ``image`` and ``text``."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.errors import DataError

_FIX = "save it with numpy.savez(path, id=ids, image=image, text=text), arrays (n,), (n, dimensions), (n, dimensions)"


@dataclass(frozen=True)
class EmbeddingFile:
    """Embeddings by sample id: ``rows`` holds the row of each id in ``image`` and ``text``, (n, dimensions) floats;
    ``image`` may be (n, views, dimensions), of which a volume's most similar one counts."""

    rows: dict[str, int]
    image: npt.NDArray[Any]
    text: npt.NDArray[Any]

    @staticmethod
    def read(path: Path) -> EmbeddingFile:
        """Raises DataError naming the array that is missing, of another form, or an id that comes twice."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in ("id", "image", "text")}
        except KeyError as error:
            raise DataError(f"an array is missing: {error.args[0]}", file=path, fix=_FIX) from error
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f"cannot be read as npz: {error}", file=path, fix=_FIX) from error
        ids = [str(value) for value in found["id"].ravel()]
        for name in ("image", "text"):
            array = found[name]
            dimensions = (2, 3) if name == "image" else (2,)
            if array.ndim not in dimensions or len(array) != len(ids) or array.dtype.kind != "f":
                told = f"has shape {array.shape} and dtype {array.dtype} beside {len(ids)} ids"
                raise DataError(f"the array {told}", file=path, field=name, fix=_FIX)
        rows = {value: row for row, value in enumerate(ids)}
        if len(rows) < len(ids):
            twice = next(value for row, value in enumerate(ids) if rows[value] != row)
            raise DataError("an id comes twice", file=path, record=twice, field="id")
        return EmbeddingFile(rows, found["image"], found["text"])
