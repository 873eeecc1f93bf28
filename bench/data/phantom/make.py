"""Making the whole data set: built beside its place and moved there in one step."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .cap import write_cap
from .case import FULL_GRID, SMALL_GRID
from .files import Files
from .labels import DATASETS
from .plan import Sizes, cap_cases, planted_leaks, refseg_cases, seg_volumes
from .refseg import write_refseg
from .seg import write_seg

VERSION = "2"
MARKER = "m3dbench-data.json"
# Older than this, the unfinished folder of a process is taken to be left behind by one that was killed.
_STALE_SECONDS = 86400.0


def marker(directory: Path) -> dict[str, Any] | None:
    """The description of a complete data set, None where there is none. Raises ``ValueError`` for a foreign one."""
    path = directory / MARKER
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON; delete the folder to have the phantom made anew") from error
    if not isinstance(content, dict) or content.get("kind") != "phantom":
        raise ValueError(f"{directory} holds other data than the phantom")
    return content


def _is_made(directory: Path, wanted: dict[str, Any]) -> bool:
    found = marker(directory)
    if found is None:
        return False
    for name, value in wanted.items():
        if found.get(name) != value:
            raise ValueError(
                f"{directory} holds a phantom with {name} {found.get(name)!r}, not {value!r}; "
                "choose another folder or delete it"
            )
    return True


def _sweep(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        if folder.is_dir() and time.time() - folder.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _fill(root: Path, sizes: Sizes, wanted: dict[str, Any], progress: Callable[[int, int], None] | None) -> None:
    seed: int = wanted["seed"]
    depth, height, width = wanted["grid"]
    grid = (depth, height, width)
    volumes = sum(len(seg_volumes(code, sizes)) for code in DATASETS)
    total = len(cap_cases(sizes, seed)) + volumes + len(refseg_cases(sizes, seed))
    total *= 2 if wanted["raw"] else 1
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    files = Files(root)
    write_cap(files, sizes, seed, grid, step)
    write_seg(files, sizes, seed, grid, step)
    write_refseg(files, sizes, seed, grid, step)
    if wanted["raw"]:
        from .raw import write_raw

        write_raw(files, sizes, seed, grid, step)
    # The marker comes last: a folder without it is never taken for a data set.
    files.json(MARKER, wanted | {"digests": dict(files.digests), "planted_leaks": planted_leaks(sizes, seed)})


def make(
    directory: Path,
    *,
    seed: int = 0,
    train: int = 60,
    validation: int = 6,
    test: int = 30,
    full_size: bool = False,
    raw: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Make the phantom data set in ``directory`` and return it; return at once when it is there already.

    ``train``, ``validation`` and ``test`` count report cases; the segmentation parts follow from them. ``full_size``
    takes the grid of the real data, (32, 256, 256), instead of (24, 64, 64). ``raw`` adds the forms before preparation.
    ``progress`` is called with (done, total) volumes. Killed half-way, it leaves nothing under ``directory``; two
    processes that start together both succeed, and one result is kept.

    Raises ``ValueError`` when the folder holds a phantom made with other arguments, ``FileExistsError`` when it holds
    anything else, ``MissingExtraError`` when ``raw`` lacks a package.
    """
    if min(train, validation, test) < 0:
        raise ValueError("numbers of cases cannot be negative")
    wanted: dict[str, Any] = {
        "kind": "phantom",
        "version": VERSION,
        "seed": seed,
        "grid": list(FULL_GRID if full_size else SMALL_GRID),
        "cases": {"train": train, "validation": validation, "test": test},
        "raw": raw,
    }
    directory = directory.absolute()
    if _is_made(directory, wanted):
        return directory
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise FileExistsError(f"{directory} exists and is not a phantom data set; choose another folder")
    directory.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{directory.name}.making-"
    _sweep(directory.parent, prefix)
    scratch = directory.parent / f"{prefix}{secrets.token_hex(8)}"
    scratch.mkdir()
    try:
        _fill(scratch, Sizes(train, validation, test), wanted, progress)
        _move(scratch, directory, wanted)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return directory


def _move(scratch: Path, directory: Path, wanted: dict[str, Any]) -> None:
    try:
        # Replaces nothing or an empty folder; fails on a filled one.
        scratch.rename(directory)
    except OSError:
        # Another process may have finished first: its result is the same.
        if not _is_made(directory, wanted):
            raise
