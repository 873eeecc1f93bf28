"""The prepared M3D-Seg layout on disk: arrays with their digests, the split file, the class list and the marker."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench.errors import UserError

ROOT = "M3D_Seg_npy"
MARKER = "m3dbench-data.json"


def class_name(file_name: str) -> str:
    """``kidney_left`` in M3D's style: ``kidney left``."""
    return " ".join(file_name.replace("_", " ").split())


def check_code(code: str) -> str:
    """A data-set code that is safe as a folder name. Raises UserError otherwise."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", code):
        raise UserError(f"{code!r} is no data-set code", field="code", fix="letters, digits, '.', '_' and '-' only")
    return code


def save_array(path: Path, array: npt.NDArray[Any]) -> str:
    """Write one ``.npy`` and return its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.ascontiguousarray(array), allow_pickle=False)
    return digest([path])


def digest(files: Iterable[Path]) -> str:
    """SHA-256 over the contents of the files in order; for more than one, over their names too."""
    listed = list(files)
    total = hashlib.sha256()
    for file in listed:
        if len(listed) > 1:
            total.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace ``path`` in one step, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file, empty when there is no file. Raises UserError when it holds something else."""
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot be read as JSON: {error}", file=path) from error
    if not isinstance(content, dict):
        raise UserError(f"holds a {type(content).__name__}, expected an object", file=path)
    return content


def merge_classes(directory: Path, code: str, names: Sequence[str]) -> list[str]:
    """Class list of ``code`` in ``dataset_info.json``: what is there keeps its index, new names come after it.

    Writes the merged file; the lists of other codes stay as they are. Raises UserError when the file is no such list.
    """
    path = directory / ROOT / "dataset_info.json"
    content = read_json(path)
    listed = content.get(code, [])
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise UserError("is not a list of class names", file=path, field=code, fix="remove this entry")
    merged = [*listed, *(name for name in dict.fromkeys(names) if name not in listed)]
    if merged != listed:
        write_json(path, {**content, code: merged})
    return merged


def claim(directory: Path, kind: str) -> None:
    """Raises UserError when the directory holds data of another kind, which the marker could then not tell apart."""
    known = read_json(directory / MARKER).get("kind", kind)
    if known != kind:
        raise UserError(
            f"holds {known} data, and {kind} data would be taken for it", file=directory, fix="choose another directory"
        )


def items(code: str, case: str, classes: Iterable[int]) -> list[dict[str, str]]:
    """The split-file items of one case, paths relative to ``M3D_Seg_npy`` as in the reference's prepared files."""
    base = f"{code}/{case}"
    return [{"image": f"{base}/image.npy", "label": f"{base}/masks/mask_{index}.npy"} for index in classes]
