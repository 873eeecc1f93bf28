"""The split file and the marker of a converted data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from m3dbench.data.convert.prepared import MARKER, ROOT, digest, items, read_json, write_json
from m3dbench.data.convert.split import Split, of_m3d, seeded
from m3dbench.data.geometry import Geometry, read_geometry

KIND = "converted"
VERSION = 2


def divide(directory: Path, code: str, m3d_split: Path | None, train_fraction: float, seed: int) -> Split:
    """The split of the finished cases; see :mod:`m3dbench.data.convert.split` for its errors."""
    finished = _finished(directory / ROOT / code)
    if m3d_split is not None:
        return of_m3d(m3d_split, {case: geometry.source for case, geometry in finished.items()})
    return seeded(list(finished), train_fraction, seed)


def write_index(directory: Path, code: str, names: list[str], split: Split, **about: Any) -> None:
    """Split file and marker over every finished case. ``about`` goes into the marker beside the facts of the split."""
    base = directory / ROOT / code
    finished = _finished(base)
    classes = {
        case: [index for index in range(len(names)) if f"masks/mask_{index}.npy" in geometry.digests]
        for case, geometry in finished.items()
    }
    content: dict[str, Any] = {
        "name": code,
        "labels": {"0": "background"} | {str(index + 1): name for index, name in enumerate(names)},
        "numTrain": len(split.train),
        "numTest": len(split.test),
        "train": [item for case in split.train for item in items(code, case, classes[case])],
        "test": [item for case in split.test for item in items(code, case, classes[case])],
    }
    if split.validation:
        content["validation"] = [item for case in split.validation for item in items(code, case, classes[case])]
    write_json(base / f"{code}.json", content)
    # Other codes may share the directory; what the marker says of them stays.
    prefix = f"{ROOT}/{code}/"
    known = read_json(directory / MARKER)
    digests = {path: value for path, value in known.get("digests", {}).items() if not path.startswith(prefix)}
    for case, geometry in finished.items():
        digests |= {f"{prefix}{case}/{file}": value for file, value in geometry.digests.items()}
        digests[f"{prefix}{case}/geometry.json"] = digest([base / case / "geometry.json"])
    for path in (base / f"{code}.json", directory / ROOT / "dataset_info.json"):
        digests[path.relative_to(directory).as_posix()] = digest([path])
    marker = {
        "kind": KIND,
        "version": VERSION,
        "splits": {**known.get("splits", {}), code: split.told},
        "conversions": {**known.get("conversions", {}), code: {**about, **split.facts}},
        "digests": dict(sorted(digests.items())),
    }
    write_json(directory / MARKER, marker)


def _finished(base: Path) -> dict[str, Geometry]:
    return {path.parent.name: read_geometry(path) for path in sorted(base.glob("*/geometry.json"))}
