"""Which cases are for testing: M3D's own split file where the user has it, else a split by seed that says so."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from m3dbench.data.convert.prepared import digest, read_json
from m3dbench.errors import UserError

ALL_TEST = "all cases are test cases"
KEYS = {"train": ("train", "training"), "test": ("test",)}


@dataclass(frozen=True)
class Split:
    """How the cases are divided. told: in words, part of a run's identity. facts: for the marker. missing: test cases
    of M3D's split that are not there; unlisted: cases that it does not name, which are in neither list."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    told: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    missing: int = 0
    unlisted: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()


def seeded(cases: Sequence[str], train_fraction: float, seed: int) -> Split:
    """Cases drawn by a hash of seed and name, not by position; at least one stays for testing."""
    if train_fraction == 0:
        return Split((), tuple(cases), ALL_TEST, {"split": "all-test"})

    def draw(case: str) -> str:
        return hashlib.sha256(f"{seed}:{case}".encode()).hexdigest()

    train = set(sorted(cases, key=draw)[: min(round(train_fraction * len(cases)), len(cases) - 1)])
    return Split(
        tuple(case for case in cases if case in train),
        tuple(case for case in cases if case not in train),
        f"made by seed {seed}, train {train_fraction:g}; not M3D's",
        {"split": "seed", "seed": seed, "train_fraction": train_fraction},
    )


def of_m3d(path: Path, cases: Mapping[str, str]) -> Split:
    """The split of M3D-Seg's ``<code>.json``. ``cases``: name -> path of its scan in the public release.

    M3D names a case after its scan file, so a case is meant by its own name or by its scan's up to the first dot.
    Raises UserError when the file is no split file, or names none of the cases as a test case.
    """
    listed = {split: _listed(path, keys) for split, keys in KEYS.items()}
    both = listed["train"] & listed["test"]
    if both:
        raise UserError("a case is in train and in test", file=path, record=min(both))
    chosen: dict[str, list[str]] = {"train": [], "test": []}
    unlisted: list[str] = []
    reached: set[str] = set()
    for case, scan in cases.items():
        aliases = {case, PurePosixPath(scan).name.split(".")[0]}
        split = next((split for split in chosen if aliases & listed[split]), None)
        if split is None:
            unlisted.append(case)
            continue
        chosen[split].append(case)
        reached |= aliases & listed[split]
    if not chosen["test"]:
        raise UserError(
            f"none of its {len(listed['test'])} test cases is here (it has for example {min(listed['test'])!r}, "
            f"here is for example {next(iter(cases), 'nothing')!r})",
            file=path,
            fix="give the split file of this data set; its cases have the names of the public scan files",
        )
    missing = len(listed["test"] - reached)
    partly = f", without {missing} of its {len(listed['test'])} test cases" if missing else ""
    content = digest([path])
    facts = {"split": "m3d", "m3d_split": path.name, "m3d_split_digest": content, "missing_test_cases": missing}
    told = f"M3D's {path.name} ({content[:12]}){partly}"
    return Split(tuple(chosen["train"]), tuple(chosen["test"]), told, facts, missing, tuple(unlisted))


def _listed(path: Path, keys: Sequence[str]) -> set[str]:
    content = read_json(path)
    items = next((content[key] for key in keys if key in content), None)
    if not isinstance(items, list) or not all(isinstance(item, dict) and "image" in item for item in items):
        raise UserError(
            "is no split file of M3D-Seg",
            file=path,
            field=keys[0],
            fix="expected lists of {'image': ..., 'label': ...} under 'train' and 'test'",
        )
    return {PurePosixPath(str(item["image"])).parent.name for item in items}
