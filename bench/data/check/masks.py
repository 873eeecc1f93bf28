"""M3D-Seg as a list of files to look at: every volume with its masks, class names and definitions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from m3dbench.data.check.jobs import MaskFile
from m3dbench.data.check.kinds import Finding
from m3dbench.data.check.published import published
from m3dbench.data.check.report import Size
from m3dbench.data.check.walk import Seen, Step, Walk
from m3dbench.data.check.words import contains_answer
from m3dbench.data.readers import m3d_seg
from m3dbench.data.readers.paths import below_root


def seg(walk: Walk) -> Iterator[Step]:
    """Every code found; volumes are read once with all masks that a split lists beside each other."""
    found: list[Finding] = []
    info = walk.json(f"{m3d_seg.FOLDER}/dataset_info.json", found)
    dictionary_file = f"{m3d_seg.FOLDER}/term_dictionary.json"
    dictionary = walk.json(dictionary_file, found) if (walk.root.path / dictionary_file).exists() else {}
    yield from found
    used: dict[str, None] = {}
    for code in m3d_seg.M3DSeg().parts(walk.root):
        file = f"{m3d_seg.FOLDER}/{code}/{code}.json"
        problems: list[Finding] = []
        content = walk.json(file, problems)
        yield from problems
        names = info.get(code, [])
        used |= dict.fromkeys(name for name in names if isinstance(name, str))
        for split, keys in m3d_seg.SPLIT_KEYS.items():
            key = next((key for key in keys if key in content), None)
            if key is not None:
                yield from _split(walk, code, file, split, content[key], len(names))
    for name in used:
        for text in dictionary.get(name, ()):
            if contains_answer(text, name, []):
                yield Finding("definition_leaks", dictionary_file, f"{text[:80]!r} describes {name!r}", name)


def _split(walk: Walk, code: str, file: str, split: str, items: Any, classes: int) -> Iterator[Step]:
    if not isinstance(items, list):
        yield Finding("malformed_list", file, "expected a list of items", split)
        return
    labels, volumes = Seen(), Seen()
    for image, group in groupby(enumerate(items), lambda numbered: _image(numbered[1])):
        masks = []
        first = ""
        for index, item in group:
            record = f"{split}[{index}]"
            first = first or f"{file} {record}"
            if why := _wrong(item, classes):
                yield Finding(why[0], file, why[1], record, "label")
                continue
            label = _path(walk, item["label"])
            if not labels.first(label):
                yield Finding("duplicate_id", file, item["label"], record, "label")
            elif walk.name(label):
                masks.append(MaskFile(walk.root.file(label), f"{file} {record}"))
        if image:
            volumes.first(image)
            if job := walk.job(first, volume=_path(walk, image), masks=masks):
                yield job
    counts = {"items": len(items), "volumes": len(volumes)}
    name = f"{code} {split}"
    yield Size(f"M3D-Seg {name}", counts, published("M3D-Seg", name) if walk.official else {})


def _path(walk: Walk, path: str) -> str:
    return below_root(walk.root.path, path, m3d_seg.FOLDER, m3d_seg.FOLDER)


def _image(item: Any) -> str:
    image = item.get("image") if isinstance(item, dict) else None
    return image if isinstance(image, str) else ""


def _wrong(item: Any, classes: int) -> tuple[str, str] | None:
    """Kind and detail of what keeps an item from being used."""
    if not _image(item) or not isinstance(item.get("label"), str):
        return "malformed_record", "an item needs 'image' and 'label', both paths"
    match = m3d_seg._INDEX.match(PurePosixPath(item["label"]).name)
    if match is None:
        return "malformed_record", f"{item['label']!r} is not a prepared mask, mask_<class index>.npy"
    if int(match.group(1)) >= classes:
        told = f"class index {match.group(1)}, but dataset_info.json names {classes} classes"
        return "unknown_class", told
    return None
