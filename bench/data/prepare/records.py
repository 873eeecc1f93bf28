"""What was read and written for every case: the manifest of a preparation, a line of JSON a case."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from m3dbench.data.convert.prepared import digest

Record = dict[str, Any]


class Records:
    """``m3dbench-prepared-<kind>.jsonl`` of a data directory. Appended while cases finish, so a killed preparation
    loses none; put in order at the end. A torn last line is dropped."""

    def __init__(self, directory: Path, kind: str) -> None:
        self.path = directory / f"m3dbench-prepared-{kind}.jsonl"
        self.by_case: dict[str, Record] = {}
        whole = True
        if self.path.is_file():
            for line in self.path.read_bytes().splitlines(keepends=True):
                record = _parse(line)
                if record is None:
                    whole = False
                else:
                    self.by_case[record["case"]] = record
        if not whole:
            self.rewrite()

    def add(self, record: Record) -> None:
        self.by_case[record["case"]] = record
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(_line(record))

    def rewrite(self) -> None:
        """Every case once, by name, replacing the file in one step."""
        partial = self.path.with_name(self.path.name + ".partial")
        with partial.open("w", encoding="utf-8") as stream:
            stream.writelines(_line(self.by_case[case]) for case in sorted(self.by_case))
        partial.replace(self.path)


def stamp(inputs: Mapping[str, Path]) -> str:
    """Changes when any input changes in name, size or time: cheap, and only a reason to look closer."""
    total = hashlib.sha256()
    for name, path in sorted(inputs.items()):
        for file in _files(path):
            seen = file.stat()
            total.update(f"{name}\0{file}\0{seen.st_size}\0{seen.st_mtime_ns}\n".encode())
    return total.hexdigest()


def measured(inputs: Mapping[str, Path]) -> dict[str, list[Any]]:
    """Name -> [files, bytes, SHA-256] of every input; of a folder, over its files and their names."""
    result: dict[str, list[Any]] = {}
    for name, path in sorted(inputs.items()):
        files = _files(path)
        result[name] = [len(files), sum(file.stat().st_size for file in files), digest(files)]
    return result


def kept_outputs(target: Path, outputs: Mapping[str, Iterable[Any]]) -> bool:
    """Whether every output is still there, of its size."""
    for name, (size, _) in outputs.items():
        file = target / name
        if not file.is_file() or file.stat().st_size != size:
            return False
    return True


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


def _parse(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and line.endswith(b"\n") and "case" in record else None
