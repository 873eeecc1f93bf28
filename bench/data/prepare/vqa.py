"""M3D-VQA: its tables beside the prepared M3D-Cap, whose volumes its questions are about."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from m3dbench.data.convert.prepared import digest
from m3dbench.data.prepare.cap import ROOT as CAP_ROOT
from m3dbench.data.prepare.cap import plain_name
from m3dbench.data.prepare.recipe import Recipe
from m3dbench.data.readers.m3d_vqa import COLUMNS, FOLDERS
from m3dbench.data.tables import read_rows
from m3dbench.errors import UserError

TARGET = "M3D-VQA"
IMAGE = "Image Path"


@dataclass
class Linked:
    """A table written. missing: images that its questions are about and that are not prepared; renamed: rows whose
    image was found under its ASCII name; size, source: bytes and SHA-256 of the raw table; digest: SHA-256 of the
    written one."""

    table: str
    questions: int = 0
    images: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    renamed: int = 0
    size: int = 0
    source: str = ""
    digest: str = ""


def prepare_vqa(source: Path, directory: Path, recipe: Recipe, progress: Callable[[int], None]) -> list[Linked]:
    """Write ``M3D-VQA/M3D_VQA_*.csv`` into the data directory, byte for byte under ``upstream``; under ``corrected``
    an image path in another spelling than that of the prepared file is replaced by it.

    Raises UserError when the source has no table, or a table is damaged.
    """
    tables = _tables(source)
    done = []
    for path in tables:
        target = directory / TARGET / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        linked = Linked(path.name, size=path.stat().st_size, source=digest([path]))
        found = _check(path, directory, linked)
        partial = target.with_name(target.name + ".partial")
        if recipe.upstream or not found:
            shutil.copyfile(path, partial)
        else:
            _rewrite(path, partial, found, linked)
        partial.replace(target)
        linked.digest = digest([target])
        done.append(linked)
        progress(1)
    return done


def _tables(source: Path) -> list[Path]:
    for folder in FOLDERS:
        tables = sorted((source / folder).glob("M3D_VQA_*.csv"))
        if tables:
            return tables
    raise UserError("no M3D-VQA table was found", file=source, fix="expected M3D_VQA_test.csv or another split's")


def _check(path: Path, directory: Path, linked: Linked) -> dict[str, str]:
    """Image path -> that of the prepared file, where they differ only in their spelling."""
    found: dict[str, str] = {}
    for _, row in read_rows(path, COLUMNS):
        image = row[IMAGE]
        linked.questions += 1
        if image in linked.images:
            continue
        linked.images.add(image)
        if not (directory / image).is_file():
            plain = _prepared_path(image)
            if plain != image and (directory / plain).is_file():
                found[image] = plain
            else:
                linked.missing.append(image)
    return found


def _prepared_path(image: str) -> str:
    """``M3D_Cap_npy/<group>/<case>/<series>.npy`` in ASCII, whatever stands before."""
    path = PurePosixPath(image)
    return "/".join((CAP_ROOT, *path.parts[-3:-1], f"{plain_name(path.stem)}.npy"))


def _rewrite(path: Path, target: Path, found: dict[str, str], linked: Linked) -> None:
    with path.open(encoding="utf-8-sig", newline="") as stream, target.open("w", encoding="utf-8", newline="") as out:
        reader = csv.DictReader(stream, strict=True)
        writer = csv.DictWriter(out, reader.fieldnames or (), lineterminator="\n")
        writer.writeheader()
        for row in reader:
            linked.renamed += row[IMAGE] in found
            writer.writerow({**row, IMAGE: found.get(row[IMAGE], row[IMAGE])})
