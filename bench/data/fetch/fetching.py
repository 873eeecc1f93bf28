"""Fetching a data set: look, show the terms, check the room, download, verify, unpack."""

from __future__ import annotations

import fnmatch
import io
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from m3dbench.data.fetch.download import checksum_of, download
from m3dbench.data.fetch.hub import AGAIN, Patience, RemoteFile, Repository, Snapshot, failures, quiet
from m3dbench.data.fetch.record import Record
from m3dbench.data.fetch.sources import Source
from m3dbench.data.fetch.unpack import SUFFIX, unpack
from m3dbench.errors import UserError
from m3dbench.progress import Progress, Silent

SKIPPED = (".gitattributes", ".gitignore")
_PARTS = ".m3dbench-parts"
_MEGABYTE = 1_000_000
_TERMS = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.md", "README.md")
_SHOWN = 30


@dataclass(frozen=True)
class Terms:
    """What a user accepts: our words on the data set, the licence field of the repository, and lines of its own
    LICENSE, or of its README where they speak of a licence."""

    ours: str
    field: str
    lines: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True)
class Fetched:
    """What a fetch did. folder: where; revision: commit; files and size (bytes) of the repository that are there now;
    kept: of them from before; unpacked: files out of archives."""

    folder: Path
    revision: str
    files: int
    size: int
    kept: int
    unpacked: int


def fetch(
    source: Source,
    directory: Path,
    *,
    revision: str | None = None,
    accept: bool = False,
    include: Collection[str] = (),
    keep_archives: bool = False,
    show: Callable[[Terms], None] = lambda _: None,
    progress: Progress | None = None,
    patience: Patience | None = None,
    endpoint: str = "",
    free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
) -> Fetched:
    """Fetch a data set into ``directory/<its folder>``; run again, it continues what was stopped.

    revision: branch, tag or commit. accept: the user accepts the terms, which ``show`` is given first. include:
    patterns of the repository's paths; empty: everything. keep_archives: leave a zip beside what was unpacked from it.
    endpoint: another hub than HF_ENDPOINT's. free: bytes free at a path.

    Raises UserError when the terms are not accepted, the hub has no such thing or does not give it, there is no room,
    or a checksum does not fit.
    """
    progress = progress or Silent()
    repository = Repository(source, patience or Patience(), endpoint)
    with progress.stage(f"asking {repository.place}", None):
        snapshot = repository.snapshot(revision)
        terms = _terms(repository, snapshot)
    show(terms)
    if not accept:
        raise UserError(
            "the terms of the data are not accepted",
            record=source.repo,
            field="--accept-licence",
            fix="read them above, then add --accept-licence",
        )
    folder = directory / source.folder
    files = _chosen(snapshot, source, include)
    folder.mkdir(parents=True, exist_ok=True)
    record = Record.open(folder, source.repo, snapshot.revision, repository.place, snapshot.licence)
    missing = [file for file in files if not _there(record, file)]
    _check_room(folder, missing, free)
    record.write()
    with progress.stage(f"downloading {source.name} (MB)", _mega(missing)) as advance:
        count = _Megabytes(advance)
        for file in files:
            if file in missing:
                partial = folder / _PARTS / file.checksum
                count(partial.stat().st_size if partial.is_file() else 0)
                download(repository, file, snapshot.revision, folder / file.path, partial, count)
                record.add(file)
            _unpack(record, file, keep_archives, free, progress)
    shutil.rmtree(folder / _PARTS, ignore_errors=True)
    return Fetched(
        folder,
        snapshot.revision,
        len(files),
        sum(file.size for file in files),
        len(files) - len(missing),
        sum(record.unpacked[file.path]["files"] for file in files if file.path in record.unpacked),
    )


class _Megabytes:
    """Bytes told as whole megabytes."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self._bytes = 0

    def __call__(self, count: int) -> None:
        before = self._bytes // _MEGABYTE
        self._bytes += count
        self._advance(self._bytes // _MEGABYTE - before)


def _terms(repository: Repository, snapshot: Snapshot) -> Terms:
    """The terms; a LICENSE or README that cannot be read just now does not keep anyone from reading the others."""
    named = {file.path: file for file in snapshot.files}
    file = next((named[name] for name in _TERMS if name in named and named[name].size < _MEGABYTE), None)
    lines: list[str] = []
    if file is not None:
        stream = io.BytesIO()
        try:
            with quiet():
                repository.read(file, snapshot.revision, stream, 0)
        except failures():
            file = None
        told = stream.getvalue().decode("utf-8", errors="replace").splitlines()
        lines = [line.strip() for line in told if line.strip()]
        if file is not None and file.path.startswith("README"):
            lines = [line for line in lines if "licen" in line.lower()]
    return Terms(repository.source.terms, snapshot.licence, tuple(lines[:_SHOWN]), file.path if file else "")


def _chosen(snapshot: Snapshot, source: Source, include: Collection[str]) -> list[RemoteFile]:
    files = [file for file in snapshot.files if PurePosixPath(file.path).name not in SKIPPED]
    for file in files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts or "\\" in file.path:
            raise UserError("the repository names a file outside of itself", record=file.path, fix="check HF_ENDPOINT")
    chosen = [file for file in files if not include or any(fnmatch.fnmatch(file.path, item) for item in include)]
    if not chosen:
        raise UserError(
            f"nothing in {source.repo} fits {', '.join(include) or 'anything'}",
            field="--include",
            fix=f"it holds: {', '.join(file.path for file in files[:20]) or 'no files'}",
        )
    return chosen


def _there(record: Record, file: RemoteFile) -> bool:
    """Whether a file need not be fetched: it was verified before, or lies there with the right checksum."""
    if record.holds(file):
        return True
    target = record.path.parent / file.path
    if target.is_file() and target.stat().st_size == file.size and checksum_of(target, file) == file.checksum:
        record.add(file)
        return True
    return False


def _check_room(folder: Path, missing: list[RemoteFile], free: Callable[[Path], int]) -> None:
    """Archives need their size twice at least: unpacked they are larger, and each is removed only afterwards."""
    parts = [folder / _PARTS / file.checksum for file in missing]
    begun = sum(path.stat().st_size for path in parts if path.is_file())
    archives = [file.size for file in missing if file.path.endswith(SUFFIX)]
    needed = sum(file.size for file in missing) - begun + max(archives, default=0)
    if needed > free(folder):
        raise UserError(
            f"needs at least {needed / 1e9:.2f} GB, {free(folder) / 1e9:.2f} GB are free",
            file=folder,
            fix=f"make room, or choose a part with --include; then {AGAIN}",
        )


def _unpack(record: Record, file: RemoteFile, keep: bool, free: Callable[[Path], int], progress: Progress) -> None:
    archive = record.path.parent / file.path
    if not file.path.endswith(SUFFIX) or file.path in record.unpacked:
        return
    with progress.stage(f"unpacking {archive.name} (MB)", None) as advance:
        count, size = unpack(archive, archive.parent, free=free, advance=_Megabytes(advance))
    record.unpacked[file.path] = {"files": count, "bytes": size}
    record.write()
    if not keep:
        archive.unlink()


def _mega(files: list[RemoteFile]) -> int:
    return sum(file.size for file in files) // _MEGABYTE
