"""Stratum files: strata of samples that are known from elsewhere, for example which of them were seen in training.

JSON lines, one object a sample (``id``) or a case (``case``); every other field with a text is a stratum dimension,
``reason`` says why and is none. A sample's own row goes before its case's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m3dbench.data.arrays import need_file
from m3dbench.data.sample import Sample
from m3dbench.data.tables import read_lines
from m3dbench.errors import DataError, UserError

UNLISTED = "unlisted"
"""The stratum of samples that the file does not name."""
_NO_DIMENSION = ("id", "case", "reason")


@dataclass(frozen=True)
class Strata:
    """A stratum file that was read. digest: SHA-256 of its bytes. dimensions: in the order in which they appear."""

    path: Path
    digest: str
    dimensions: tuple[str, ...]
    by_id: Mapping[str, Mapping[str, str]] = field(repr=False)
    by_case: Mapping[str, Mapping[str, str]] = field(repr=False)

    def of(self, sample: Sample) -> dict[str, str]:
        """A value for every dimension of the file; ``unlisted`` where it says nothing of the sample."""
        own = self.by_id.get(sample.base or sample.id) or self.by_id.get(sample.id) or {}
        known = {**self.by_case.get(sample.case, {}), **own}
        return {dimension: known.get(dimension, UNLISTED) for dimension in self.dimensions}

    def to_json(self) -> dict[str, Any]:
        """What a run records of the file."""
        return {"file": self.path.name, "sha256": self.digest, "dimensions": list(self.dimensions)}

    def refuse_foreign(self, samples: Iterable[Sample], task: str) -> None:
        """Raises UserError where the file names none of the samples: it is the file of other data."""
        asked = ""
        for sample in samples:
            if sample.id in self.by_id or sample.base in self.by_id or sample.case in self.by_case:
                return
            asked = asked or f"sample {sample.id}, case {sample.case}"
        raise UserError(
            f"the stratum file names no sample of {task}",
            file=self.path,
            record=f"wanted: {asked}; in the file: {next(iter(self.by_id or self.by_case), '')}",
            field="--strata",
            fix="give the file that `m3dbench data audit` wrote for this data",
        )


def read_strata(path: Path) -> Strata:
    """Raises DataError naming file, line and field."""
    need_file(path, path)
    by_id: dict[str, dict[str, str]] = {}
    by_case: dict[str, dict[str, str]] = {}
    dimensions: dict[str, None] = {}
    for record, row in read_lines(path):
        told = _told(row, path, record)
        dimensions |= dict.fromkeys(told)
        key = "id" if "id" in row else "case"
        table = by_id if key == "id" else by_case
        if table.setdefault(str(row[key]), told) != told:
            raise DataError(f"{row[key]!r} was told otherwise before", file=path, record=record, field=key)
    if not dimensions:
        raise DataError("holds no stratum", file=path, fix='rows are {"case": ..., "leak": "clean"}')
    return Strata(path, hashlib.sha256(path.read_bytes()).hexdigest(), tuple(dimensions), by_id, by_case)


def _told(row: Mapping[str, Any], path: Path, record: str) -> dict[str, str]:
    if not isinstance(row.get("id", row.get("case")), str):
        raise DataError(
            "the row names neither a sample nor a case",
            file=path,
            record=record,
            field="id, case",
            fix='rows are {"case": ..., "leak": "clean"}',
        )
    told = {name: value for name, value in row.items() if name not in _NO_DIMENSION}
    for name, value in told.items():
        if not isinstance(value, str) or not value:
            raise DataError(f"the stratum is {value!r}, expected a text", file=path, record=record, field=name)
    return told
