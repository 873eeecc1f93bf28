"""The lists of a data directory, gone through once: what they say wrong, and the files that they name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from m3dbench.data.check.jobs import Job, MaskFile
from m3dbench.data.check.kinds import Finding, of_error
from m3dbench.data.check.report import Size
from m3dbench.data.dataset import DataRoot, read_json
from m3dbench.errors import DataError

Step = Job | Finding | Size
FOLDERS = ("M3D_Cap_npy", "M3D_Seg_npy", "M3D_RefSeg_npy", "M3D_RefSeg")
ENDINGS = (".npy", ".npz", ".txt")


class Seen:
    """Paths and ids met before; 64 bits each, so that 100,000 of them cost a few MiB."""

    def __init__(self) -> None:
        self._keys: set[int] = set()

    def first(self, *key: str) -> bool:
        """Whether this is the first time; remembers it."""
        number = hash(key)
        if number in self._keys:
            return False
        self._keys.add(number)
        return True

    def __contains__(self, key: tuple[str, ...]) -> bool:
        return hash(key) in self._keys

    def __len__(self) -> int:
        return len(self._keys)


class Walk:
    """One walk over a data root. ``files``: every path that a list named, relative to the root."""

    def __init__(self, root: DataRoot) -> None:
        self.root = root
        self.files = Seen()
        self.official = root.kind not in ("phantom", "converted", "imported")

    def name(self, path: str) -> bool:
        """Note that a list names this path; whether it is the first to do so."""
        plain = PurePosixPath(path)
        if plain.is_absolute() and plain.is_relative_to(self.root.path.absolute()):
            plain = plain.relative_to(self.root.path.absolute())
        return self.files.first(str(plain))

    def job(self, record: str, *, volume: str = "", text: str = "", masks: list[MaskFile] | None = None) -> Job | None:
        """A job on those of these files that were not looked at before; None where nothing is left."""
        new_volume = bool(volume) and self.name(volume)
        new_text = bool(text) and self.name(text)
        if not (new_volume or new_text or masks):
            return None
        # A volume that was looked at is read again where masks are to be compared with it.
        shown = self.root.file(volume) if new_volume or (volume and masks) else None
        return Job(record, shown, self.root.file(text) if new_text else None, tuple(masks or ()))

    def json(self, path: str, found: list[Finding]) -> dict[str, Any]:
        """A JSON object; what is wrong with it goes to ``found``, and an empty one comes back."""
        try:
            content = read_json(self.root.path / path)
        except DataError as error:
            kind = error.kind if error.kind != "unreadable" else "malformed_list"
            found.append(Finding(kind, path, error.message, error.record or ""))
            return {}
        if not isinstance(content, dict):
            found.append(Finding("malformed_list", path, "expected a JSON object"))
            return {}
        return content

    def rows(self, path: str, read: Callable[[Callable[[DataError], None]], Iterator[Any]]) -> Iterator[Any]:
        """Rows of a table, and what is wrong with the table as findings among them."""
        bad: list[DataError] = []
        try:
            for row in read(bad.append):
                yield from (of_error(one, path) for one in bad)
                bad.clear()
                yield row
        except DataError as error:
            bad.append(error)
        for one in bad:
            kind = "malformed_list" if one.kind == "unreadable" else one.kind
            yield Finding(kind, path, one.message, one.record or "", one.field or "")

    def unlisted(self) -> Iterator[Finding]:
        """Data files under the folders of the prepared layouts that no list names; links are not followed."""
        for folder in FOLDERS:
            for place, _, names in os.walk(self.root.path / folder):
                base = Path(place).relative_to(self.root.path).as_posix()
                for name in sorted(names):
                    path = f"{base}/{name}"
                    inner = base != folder and base.count("/") > 0
                    if inner and name.endswith(ENDINGS) and (path,) not in self.files:
                        yield Finding("unlisted", path)
