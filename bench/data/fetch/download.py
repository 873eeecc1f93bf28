"""One file of a repository onto the disk: resumed where it was cut, and taken only with the right checksum."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

from m3dbench.data.fetch.hub import RemoteFile, Repository, failures, quiet
from m3dbench.errors import UserError

_BLOCK = 1 << 20


class _Counted:
    """A file that tells how many bytes were written to it; negative when they were thrown away again."""

    def __init__(self, stream: IO[bytes], advance: Callable[[int], None]) -> None:
        self._stream = stream
        self._advance = advance

    def write(self, block: bytes) -> int:
        self._advance(len(block))
        written = self._stream.write(block)
        self._stream.flush()  # so that a killed run leaves what it got
        return written

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(place, whence)

    def truncate(self, size: int | None = None) -> int:
        before = self._stream.seek(0, os.SEEK_END)
        after = self._stream.truncate(size)
        self._stream.seek(after)
        self._advance(after - before)
        return after


def download(
    repository: Repository, file: RemoteFile, revision: str, target: Path, partial: Path, advance: Callable[[int], None]
) -> None:
    """Bring a file to ``target``; ``partial`` holds what an earlier, cut attempt got and is gone afterwards.

    Transient failures are tried again as the repository's patience allows, continuing after the last byte; a wrong
    checksum once, from the start. Raises UserError.
    """
    partial.parent.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(2):
        _complete(repository, file, revision, partial, advance)
        if checksum_of(partial, file) == file.checksum:
            partial.replace(target)
            return
        advance(-partial.stat().st_size)
        partial.unlink()
        if attempt:
            raise UserError(
                "arrived twice with another checksum than the hub states; it was not kept",
                record=file.path,
                field="sha256" if file.sha256 else "git blob id",
                fix="a proxy or mirror may change the content: check HF_ENDPOINT, and try again later",
            )


def _complete(
    repository: Repository, file: RemoteFile, revision: str, partial: Path, advance: Callable[[int], None]
) -> None:
    patience = repository.patience
    attempt = 0
    while True:
        partial.touch()
        start = partial.stat().st_size
        if start > file.size:
            advance(-start)
            os.truncate(partial, 0)
            start = 0
        if start == file.size:
            return
        try:
            with partial.open("r+b") as stream, quiet():
                stream.seek(start)
                repository.read(file, revision, _Counted(stream, advance), start)  # type: ignore[arg-type]
        except failures() as error:
            again, asked, told = repository.failure(error, file.path)
            # A connection that brings something is worth going on with, however often it breaks.
            attempt = 0 if partial.stat().st_size > start else attempt + 1
            if not again or attempt == patience.attempts:
                raise told from error
            patience.wait(attempt, asked, told)


def checksum_of(path: Path, like: RemoteFile) -> str:
    """The checksum of a local file, of the kind that the hub states for ``like``."""
    total = hashlib.sha256() if like.sha256 else hashlib.sha1(usedforsecurity=False)
    if not like.sha256:
        total.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            total.update(block)
    return total.hexdigest()
