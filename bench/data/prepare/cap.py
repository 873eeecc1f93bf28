"""M3D-Cap: folders of pictures to volumes, pages to texts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from m3dbench.data.convert.place import place_scan
from m3dbench.data.convert.prepared import digest, save_array, write_json
from m3dbench.data.convert.resample import resample_image
from m3dbench.data.dataset import read_json
from m3dbench.data.geometry import write_geometry
from m3dbench.data.prepare import reference
from m3dbench.data.prepare.pictures import Stack, picture_names, read_stack
from m3dbench.data.prepare.recipe import Job, Recipe, Written
from m3dbench.data.prepare.texts import prepared_text
from m3dbench.data.raw import read_scan
from m3dbench.errors import DataError, UserError, missing_extra

ROOT, RAW = "M3D_Cap_npy", "M3D_Cap"
GROUPS = ("ct_case", "ct_quizze")
SPLIT_FILE = "M3D_Cap.json"
LAYOUT = "ct_case/CASE/SERIES/1.png, ct_quizze/CASE/SERIES/1.jpeg, and CASE/text.txt"
_NIFTI = (".nii.gz", ".nii")


@dataclass(frozen=True)
class PrepareCap:
    """source: ``M3D_Cap`` or the folder above it. split_file: M3D_Cap.json, looked for beside the source if None."""

    source: Path
    recipe: Recipe
    split_file: Path | None = None
    kind: ClassVar[str] = "cap"

    def jobs(self) -> list[Job]:
        base = next((place for place in (self.source, self.source / RAW) if _groups(place)), None)
        if base is None:
            raise UserError("no M3D-Cap case was found", file=self.source, fix=f"expected {LAYOUT}")
        cases = [case for group in _groups(base) for case in sorted(group.iterdir()) if case.is_dir()]
        if not cases:
            raise UserError("the case folders are empty", file=base, fix=f"expected {LAYOUT}")
        names = [f"{case.parent.name}/{case.name}" for case in cases]
        return [
            Job(name, f"{ROOT}/{name}", {entry.name: entry for entry in sorted(case.iterdir())})
            for name, case in zip(names, cases, strict=True)
            if not case.name.startswith(".")
        ]

    def write(self, job: Job, folder: Path) -> Written:
        done = Written(facts={"series": 0})
        for name, path in job.inputs.items():
            try:
                self._entry(name, path, folder, done)
            except UserError as error:
                error.file = error.file or str(path)
                done.failed[name] = error
        if not done.outputs and not done.failed:
            raise DataError("the case has neither a series nor a text", fix=f"expected {LAYOUT}")
        if not any(file.endswith(".txt") for file in done.outputs) and "text.txt" not in done.failed:
            done.notes.append("the case has no text")
        return done

    def _entry(self, name: str, path: Path, folder: Path, done: Written) -> None:
        if name.endswith(".txt") and path.is_file():
            (folder / name).write_text(prepared_text(_page(path)), encoding="utf-8")
            done.outputs[name] = digest([folder / name])
        elif path.is_dir():
            names = picture_names(path, self.recipe.upstream)
            if names:
                self._pictures(name, read_stack(path, names, self.recipe.upstream), folder, done)
            elif any(path.iterdir()):
                self._scan(name, path, folder, done)
            else:
                done.notes.append(f"{name}: the folder is empty")
        elif name.endswith(_NIFTI):
            self._scan(name.partition(".nii")[0], path, folder, done)
        elif not name.startswith("."):
            done.notes.append(f"{name}: neither a series nor a text, left out")

    def _pictures(self, name: str, stack: Stack, folder: Path, done: Written) -> None:
        low, high = int(stack.pixels.min()), int(stack.pixels.max())
        if low == high:
            raise DataError(f"every pixel is {low}: an empty series", fix="remove the series, or copy it again")
        box = reference.foreground((stack.pixels > low)[np.newaxis])
        depth = np.iinfo(stack.pixels.dtype).max
        volume = reference.unit_table(low, high, depth)[reference.cut(stack.pixels, box)]
        if self.recipe.upstream:
            image = reference.fit(volume[np.newaxis], self.recipe.grid)
        else:
            image = resample_image(volume, self.recipe.grid)[np.newaxis]
        self._save(name, image, folder, done)
        done.notes += [f"{name}: {note}" for note in stack.notes]

    def _scan(self, name: str, path: Path, folder: Path, done: Written) -> None:
        if self.recipe.upstream:
            raise DataError(
                "no .jpeg or .png slices, and the reference's recipe knows nothing else",
                file=path,
                fix="prepare DICOM and NIfTI with --recipe corrected",
            )
        scan = read_scan(path, self.recipe.series)
        geometry, image = place_scan(scan, self.recipe.grid)
        file = self._save(name, image[np.newaxis], folder, done)
        # A case folder holds many series, so each has a geometry of its own.
        beside = f"{file.removesuffix('.npy')}.geometry.json"
        write_geometry(folder / beside, replace(geometry, source=path.name, digests={file: done.outputs[file]}))
        done.outputs[beside] = digest([folder / beside])
        done.notes += [f"{name}: {note}" for note in scan.notes]

    def _save(self, name: str, image: Any, folder: Path, done: Written) -> str:
        file = f"{plain_name(name)}.npy"
        if file in done.outputs:
            raise DataError(f"two series would both be written as {file}", fix="rename one of them")
        done.outputs[file] = save_array(folder / file, image)
        done.facts["series"] += 1
        return file

    def finish(self, directory: Path, finished: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[str]]:
        target = directory / ROOT / SPLIT_FILE
        images = [f"{ROOT}/{case}/{file}" for case, record in finished.items() for file in record["outputs"]]
        images = sorted(image for image in images if image.endswith(".npy"))
        found = self.split_file or _find_split(self.source)
        notes: list[str] = []
        if found is None:
            items = [{"image": image, "text": f"{image.rpartition('/')[0]}/text.txt"} for image in images]
            with_text = [item for item in items if (directory / item["text"]).is_file()]
            write_json(target, {"test": with_text})
            notes.append(f"no {SPLIT_FILE} was found: all series are in 'test', which is not the official test set")
        else:
            if found.resolve() != target.resolve():
                shutil.copyfile(found, target)
            notes += _unprepared(found, set(images))
        return [f"{ROOT}/{SPLIT_FILE}"], notes


def plain_name(name: str) -> str:
    """A series name in ASCII, by unidecode as in the reference."""
    if name.isascii():
        return name
    try:
        from unidecode import unidecode
    except ImportError as error:
        raise missing_extra(f"Writing {name!r} in ASCII, as M3D_Cap.json names it,", "prepare") from error
    return str(unidecode(name))


def _groups(place: Path) -> list[Path]:
    return [place / group for group in GROUPS if (place / group).is_dir()]


def _page(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 text (byte {error.start})", file=path, fix="save the file as UTF-8") from error


def _find_split(source: Path) -> Path | None:
    """The split file in the source, or beside it as the releases and the phantom have it."""
    places = [source, source / RAW, source.parent, source / ROOT, source.parent / ROOT]
    return next((place / SPLIT_FILE for place in places if (place / SPLIT_FILE).is_file()), None)


def _unprepared(split: Path, images: set[str]) -> list[str]:
    content = read_json(split)
    if not isinstance(content, dict) or not all(isinstance(items, list) for items in content.values()):
        raise DataError("expected an object of lists, one per split", file=split)
    listed = {
        item["image"] for items in content.values() for item in items if isinstance(item, dict) and "image" in item
    }
    ends = {"/".join(str(image).split("/")[-3:]): image for image in listed}
    missing = sorted(image for end, image in ends.items() if f"{ROOT}/{end}" not in images)
    if not missing:
        return []
    return [f"{len(missing):,} of {len(ends):,} series in {SPLIT_FILE} are not prepared, first {missing[0]}"]
