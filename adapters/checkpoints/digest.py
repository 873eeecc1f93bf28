"""SHA-256 of weights, remembered by path, size and time so that a start never reads them twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.cache import cache_dir
from m3dbench.progress import Progress, Silent

BLOCK = 1 << 22


def weights_digest(place: Checkpoint | Path, progress: Progress | None = None) -> str:
    """SHA-256 (64 hex digits) over the names and contents of the weight files, in the order of their names."""
    checkpoint = place if isinstance(place, Checkpoint) else Checkpoint(place)
    return paths_digest(checkpoint.files(), progress, checkpoint.part)


def paths_digest(
    paths: Iterable[Path], progress: Progress | None = None, part: Callable[[Path], str] = lambda _: ""
) -> str:
    """SHA-256 (64 hex digits) over the names and contents of files, in the order of their names. part: what comes
    before a file's name."""
    total = hashlib.sha256()
    for path in sorted(paths, key=lambda path: (path.name, str(path))):
        total.update(f"{part(path)}{path.name}\0{_file_digest(path, progress or Silent())}\n".encode())
    return total.hexdigest()


def files_digest(folder: Path, names: Iterable[str]) -> str:
    """SHA-256 (64 hex digits) over names and contents of those of a folder's small files that are there."""
    digest = hashlib.sha256()
    for name in names:
        if (folder / name).is_file():
            digest.update(name.encode() + b"\0" + (folder / name).read_bytes())
    return digest.hexdigest()


def _file_digest(path: Path, progress: Progress) -> str:
    path = path.resolve()
    stat = path.stat()
    key = hashlib.sha256(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}".encode()).hexdigest()
    note = cache_dir() / "digests" / f"{key}.json"
    with contextlib.suppress(OSError, ValueError, KeyError):
        known: str = json.loads(note.read_text(encoding="utf-8"))["sha256"]
        return known
    found = hashlib.sha256()
    with path.open("rb") as stream, progress.stage(f"digest of {path.name}", stat.st_size >> 20) as advance:
        done = 0
        while block := stream.read(BLOCK):
            found.update(block)
            advance((done + len(block) >> 20) - (done >> 20))
            done += len(block)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, nothing else
        note.parent.mkdir(parents=True, exist_ok=True)
        draft = note.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps({"file": str(path), "sha256": found.hexdigest()}), encoding="utf-8")
        draft.replace(note)
    return found.hexdigest()
