"""The split file and the marker of a converted data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from m3dbench.data.convert.prepared import MARKER, ROOT, digest, items, read_json, split_cases, write_json
from m3dbench.data.geometry import read_geometry

CONVERTER = "totalsegmentator"
VERSION = 1


def write_index(directory: Path, code: str, names: list[str], train_fraction: float, seed: int) -> str:
    """Split file and marker over every finished case; returns the split's name."""
    base = directory / ROOT / code
    finished = {path.parent.name: read_geometry(path) for path in sorted(base.glob("*/geometry.json"))}
    classes = {
        case: [index for index in range(len(names)) if f"masks/mask_{index}.npy" in geometry.digests]
        for case, geometry in finished.items()
    }
    train, test = split_cases(list(finished), train_fraction, seed)
    content = {
        "name": code,
        "labels": {"0": "background"} | {str(index + 1): name for index, name in enumerate(names)},
        "numTrain": len(train),
        "numTest": len(test),
        "train": [item for case in train for item in items(code, case, classes[case])],
        "test": [item for case in test for item in items(code, case, classes[case])],
    }
    write_json(base / f"{code}.json", content)
    # Other codes may share the directory; their digests stay.
    prefix = f"{ROOT}/{code}/"
    known = read_json(directory / MARKER).get("digests", {})
    digests = {path: value for path, value in known.items() if not path.startswith(prefix)}
    for case, geometry in finished.items():
        digests |= {f"{prefix}{case}/{file}": value for file, value in geometry.digests.items()}
        digests[f"{prefix}{case}/geometry.json"] = digest([base / case / "geometry.json"])
    for path in (base / f"{code}.json", directory / ROOT / "dataset_info.json"):
        digests[path.relative_to(directory).as_posix()] = digest([path])
    split = "seed" if train_fraction > 0 else "all-test"
    marker: dict[str, Any] = {"kind": "converted", "converter": CONVERTER, "version": VERSION, "split": split}
    if split == "seed":
        marker |= {"seed": seed, "train_fraction": train_fraction}
    write_json(directory / MARKER, {**marker, "digests": dict(sorted(digests.items()))})
    return split
