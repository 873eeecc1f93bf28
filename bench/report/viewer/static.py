"""The viewer as files: one page, its scripts, and the documents as scripts, since pages from files cannot fetch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from m3dbench.errors import UserError
from m3dbench.report.viewer.documents import Viewer
from m3dbench.report.viewer.page import SCRIPTS, STYLE, asset, page

_OVERVIEW = Path("data") / "overview.js"


@dataclass(frozen=True)
class Written:
    """What was written: the page to open, files and bytes in all, volumes that are not there."""

    page: Path
    files: int
    size: int
    unreadable: int


def write_pages(viewer: Viewer, out: Path, title: str, advance: Callable[[int], None] = lambda _: None) -> Written:
    """Write ``OUT/index.html`` and all that it needs, replacing an earlier one of these.

    Raises UserError when the folder holds other things.
    """
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / _OVERVIEW).is_file())):
        raise UserError("holds other things than pages of `m3dbench view`", file=out, fix="choose another --static")
    start = page(title, "static")
    if (out / "data").is_dir():
        shutil.rmtree(out / "data")
    (out / "assets").mkdir(parents=True, exist_ok=True)
    for name in (*SCRIPTS, STYLE):
        (out / "assets" / name).write_bytes(asset(name))
    files, size, unreadable = len(SCRIPTS) + 2, 0, 0
    for key in viewer:
        document = viewer.document(key)
        unreadable += key.startswith("volume/") and "error" in document
        content = f"m3d.put({json.dumps(key)}, {json.dumps(document, separators=(',', ':'))});\n".encode()
        target = out / "data" / f"{key}.js"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        files, size = files + 1, size + len(content)
        advance(1)
    (out / "index.html").write_bytes(start)
    return Written(out / "index.html", files, size, unreadable)
