"""Paths as the releases write them: relative to several places, or absolute on the machine that made the list."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

M3D_DATA = "M3D-Data"
"""What the M3D releases are called together."""


def below_root(root: Path, path: str, folder: str, base: str = "") -> str:
    """The path relative to the data root.

    folder: the prepared data set's. A path that names it, wherever that was (``/home/a/M3D_Seg_npy/0003/...``,
    ``./Data/data/M3D_Seg_npy/...``), is meant below it; an absolute one inside the root is made relative; any other is
    relative to ``base``, a folder in the root. What leaves the root is refused where it is opened.
    """
    parts = PurePosixPath(path).parts
    if folder in parts[:-1]:
        return "/".join(parts[len(parts) - 1 - parts[::-1].index(folder) :])
    if PurePosixPath(path).is_absolute():
        inside = [place for place in (root, root.resolve()) if Path(path).is_relative_to(place)]
        return Path(path).relative_to(inside[0]).as_posix() if inside else path
    return f"{base}/{path}" if base else path
