"""Unpacking a downloaded archive: nothing outside its folder, no links, no more bytes than it declares, resumable."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from m3dbench.errors import DataError, UserError

SUFFIX = ".zip"
_BLOCK = 1 << 20
_RATIO = 1032
"""Deflate cannot shrink further: what declares more holds other entries' bytes or lies."""
_SLACK = 1 << 20


def unpack(
    archive: Path,
    folder: Path,
    *,
    free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[int, int]:
    """Unpack a zip into ``folder`` as ``unzip`` does; returns (files, bytes). Files that are there with the right
    checksum are kept, so a stopped unpacking goes on. ``advance`` is told bytes.

    Raises UserError when there is no room, DataError naming archive and member for a damaged archive, a path out of the
    folder, a link, an encrypted member, two members of one path, or sizes that cannot be true. Everything but damage
    and checksums is checked before the first file is written.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            members = [member for member in content.infolist() if not member.is_dir()]
            _check(archive, members)
            total = sum(member.file_size for member in members)
            missing = sum(member.file_size for member in members if _size(folder / member.filename) != member.file_size)
            if missing > free(folder):
                raise UserError(
                    f"unpacking needs {missing / 1e9:.1f} GB, {free(folder) / 1e9:.1f} GB are free",
                    file=archive,
                    fix="make room and run the same command again: what is there is kept",
                )
            for member in members:
                _extract(content, member, folder, archive)
                advance(member.file_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise DataError(
            f"the archive is damaged: {error}", file=archive, fix="remove it and run the same command again"
        ) from error
    return len(members), total


def _check(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for member in members:
        path = PurePosixPath(member.filename)
        wrong = ""
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in path.parts[0]:
            wrong = "leads out of the folder"
        elif stat.S_ISLNK(member.external_attr >> 16):
            wrong = "is a symbolic link"
        elif member.flag_bits & 1:
            wrong = "is encrypted"
        elif member.filename in seen:
            wrong = "is there twice"
        elif member.file_size > _RATIO * member.compress_size + _SLACK:
            wrong = f"claims {member.file_size:,} bytes in {member.compress_size:,}"
        if wrong:
            raise DataError(
                f"the archive's member {wrong}; nothing of it was unpacked",
                file=archive,
                record=member.filename,
                fix="do not trust this archive: look where it came from",
            )
        seen.add(member.filename)


def _extract(content: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, archive: Path) -> None:
    target = folder / member.filename
    base = folder.resolve()
    if not target.parent.resolve().is_relative_to(base):
        raise DataError("a link in the folder leads out of it", file=target.parent, fix="remove the link")
    if _size(target) == member.file_size and _crc(target) == member.CRC:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    left = member.file_size
    with content.open(member) as source, partial.open("wb") as sink:
        while block := source.read(_BLOCK):
            left -= len(block)
            if left < 0:
                raise DataError("a member is longer than it says", file=archive, record=member.filename)
            sink.write(block)
    partial.replace(target)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() and not path.is_symlink() else -1


def _crc(path: Path) -> int:
    total = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            total = zlib.crc32(block, total)
    return total
