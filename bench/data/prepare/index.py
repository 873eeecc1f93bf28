"""The marker of a prepared data directory: what was prepared how, and SHA-256 of its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from m3dbench.data.convert.prepared import MARKER, digest, read_json, write_json

PREPARED = "prepared"
PHANTOM = "phantom"


def write_marker(
    directory: Path, source: Path, kind: str, facts: Mapping[str, Any], digests: Mapping[str, str], roots: Iterable[str]
) -> None:
    """Set what the marker says of one kind of data, and the digests of the files below ``roots``; those of other kinds
    stay. What is prepared from the phantom stays a phantom.
    """
    before = read_json(directory / MARKER)
    told = {PREPARED: {**before.get(PREPARED, {}), kind: dict(facts)}}
    known = {path: value for path, value in before.get("digests", {}).items() if not path.startswith(tuple(roots))}
    sort = PHANTOM if PHANTOM in (before.get("kind"), source_kind(source)) else before.get("kind", PREPARED)
    write_json(
        directory / MARKER, {**before, "kind": sort, **told, "digests": dict(sorted((known | dict(digests)).items()))}
    )


def source_kind(source: Path) -> str:
    """What the marker in the source, or in the folder above it, says it is; empty without one."""
    for place in (source, source.parent):
        if (place / MARKER).is_file():
            return str(read_json(place / MARKER).get("kind", ""))
    return ""


def digests_of(directory: Path, files: Iterable[str]) -> dict[str, str]:
    return {file: digest([directory / file]) for file in files}
