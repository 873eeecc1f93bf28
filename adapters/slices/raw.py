"""The slices of a series as M3D-Cap publishes them: a folder of numbered pictures, before any preparation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from m3dbench.data.prepare.cap import RAW, plain_name
from m3dbench.data.prepare.pictures import picture_names, read_stack
from m3dbench.data.slices import Picture, Slices, Window, pictures
from m3dbench.errors import DataError, UserError


class RawSeries:
    """folder: ``M3D_Cap``, or the folder above it. Raises UserError when it is not there."""

    def __init__(self, folder: Path) -> None:
        base = next((place for place in (folder / RAW, folder) if place.is_dir()), None)
        if base is None:
            raise UserError("there is no such folder", file=folder, field="raw", fix=f"give {RAW}, or what it lies in")
        self._base = base

    def pictures(self, path: str, how: Slices) -> list[Picture]:
        """Pictures of the series behind a prepared volume (``M3D_Cap_npy/GROUP/CASE/SERIES.npy``), 8 bits as they are
        but for ``how``, whose windows speak of 0..1.

        Raises DataError when the series is not there or is not made of pictures.
        """
        folder = self._folder(path)
        names = picture_names(folder, upstream=True)
        if not names:
            raise DataError("the raw series holds no .jpeg or .png slices", file=folder, fix="leave raw out")
        windows = tuple(_of_bytes(window) for window in how.windows)
        return pictures(read_stack(folder, names, upstream=True).pixels, replace(how, windows=windows))

    def _folder(self, path: str) -> Path:
        volume = PurePosixPath(path)
        case = self._base.joinpath(*volume.parts[-3:-1])
        found = [place for place in case.iterdir() if place.is_dir()] if case.is_dir() else []
        for place in sorted(found):
            if plain_name(place.name) == volume.stem:
                return place
        raise DataError(f"there is no raw series {volume.stem!r} of it in {case}", file=path, fix="see the option raw")


def _of_bytes(window: Window) -> Window:
    return window if window.low is None or window.high is None else Window(window.low * 255, window.high * 255)
