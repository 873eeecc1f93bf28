"""M3D-Seg: a volume and one sparse matrix of masks a case, to a volume and one mask file a class."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from m3dbench.data.convert.prepared import ROOT, items, read_json, save_array, write_json
from m3dbench.data.convert.resample import resample_image, resample_mask
from m3dbench.data.geometry import Box
from m3dbench.data.prepare import reference
from m3dbench.data.prepare.recipe import Job, Recipe, Written
from m3dbench.data.prepare.sparse_masks import SparseMasks, read_masks
from m3dbench.errors import DataError, UserError

RAW = "M3D_Seg"
LAYOUT = "CODE/CODE.json, CODE/CASE/image.npy and CODE/CASE/mask_(C, X, Y, Z).npz"
SPLITS = {"train": ("train", "training"), "validation": ("validation", "val"), "test": ("test",)}
ABSENT = (1, 1, 1, 1)
TERMS = "term_dictionary.json"


@dataclass(frozen=True)
class PrepareSeg:
    """source: ``M3D_Seg`` or the folder above it. codes: the sub-datasets to prepare, None for all that are there."""

    source: Path
    recipe: Recipe
    codes: tuple[str, ...] | None = None
    kind: ClassVar[str] = "seg"

    @property
    def base(self) -> Path:
        """Raises UserError where there is no M3D-Seg release."""
        for place in (self.source, self.source / RAW):
            if any(path.stem == path.parent.name for path in place.glob("*/*.json")):
                return place
        raise UserError("no M3D-Seg release was found", file=self.source, fix=f"expected {LAYOUT}")

    def jobs(self) -> list[Job]:
        base = self.base
        there = sorted(path.stem for path in base.glob("*/*.json") if path.stem == path.parent.name)
        unknown = [code for code in self.codes or () if code not in there]
        if unknown:
            raise UserError(
                f"there is no sub-dataset {unknown[0]!r} here",
                file=base,
                field="--datasets",
                fix=f"choose from: {', '.join(there)}",
            )
        return [job for code in self.codes or there for job in _jobs_of(base, code)]

    def write(self, job: Job, folder: Path) -> Written:
        image, label = job.inputs["image"], job.inputs["label"]
        masks = read_masks(label)
        volume = _volume(image, masks.shape)
        box = reference.foreground(volume)
        upstream, grid = self.recipe.upstream, self.recipe.grid
        kept = reference.cut(volume, box)
        fitted = reference.fit(kept, grid) if upstream else resample_image(kept[0], grid)[np.newaxis]
        del volume, kept
        done = Written(outputs={image.name: save_array(folder / image.name, fitted)})
        absent, lost, thin = [], [], []
        for index in range(masks.shape[0]):
            mask, needed = self._mask(masks, index, box)
            if needed:
                thin.append(index)
            if mask is None:
                absent.append(index)
                lost += [index] * bool(masks.count(index))
            file = f"masks/mask_{index}.npy"
            content = _nothing(job.options["split"], upstream) if mask is None else mask[np.newaxis]
            done.outputs[file] = save_array(folder / file, content)
        done.facts = {"split": job.options["split"], "classes": masks.shape[0], "absent": absent, "lost": lost}
        if thin:
            done.facts["thin"] = thin
        return done

    def _mask(self, masks: SparseMasks, index: int, box: Box) -> tuple[npt.NDArray[np.bool_] | None, bool]:
        """A class on the grid, None where no voxel is left; and whether the thin-structure rule was needed."""
        if not masks.count(index):
            return None, False
        native = masks.dense(index).transpose(2, 1, 0)
        if self.recipe.upstream:
            fitted, thin = reference.fit_labels(native, box, self.recipe.grid), False
        else:
            fitted, thin = resample_mask(reference.cut(native, box), self.recipe.grid)
        return (fitted if fitted.any() else None), thin

    def finish(self, directory: Path, finished: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[str]]:
        base, root = self.base, directory / ROOT
        codes = list(dict.fromkeys(name.partition("/")[0] for name in finished))
        for code in codes:
            content = read_json(base / code / f"{code}.json")
            lists = {split: _lists(content, split) for split in SPLITS}
            for split, keys in SPLITS.items():
                for key in keys:
                    content.pop(key, None)
                if lists[split] is None:
                    continue
                content[split] = [
                    item
                    for volume in lists[split] or ()
                    if (name := _name(code, volume["image"])) in finished
                    for item in items(code, name.partition("/")[2], range(int(finished[name]["classes"])))
                ]
            write_json(root / code / f"{code}.json", content)
        files = [f"{ROOT}/{code}/{code}.json" for code in codes]
        files += _tables(base, root, codes)
        return files, _notes(finished, self.recipe.upstream, f"{ROOT}/{TERMS}" in files)


def _jobs_of(base: Path, code: str) -> list[Job]:
    file = base / code / f"{code}.json"
    content = read_json(file)
    found: dict[str, Job] = {}
    for split in SPLITS:
        for number, item in enumerate(_lists(content, split) or ()):
            if not isinstance(item, dict) or not all(isinstance(item.get(key), str) for key in ("image", "label")):
                raise DataError("an item needs 'image' and 'label', both paths", file=file, record=f"{split}[{number}]")
            name = _name(code, item["image"])
            if name in found:
                raise DataError("the volume is listed twice", file=file, record=f"{split}[{number}]", field="image")
            inputs = {key: _place(base, code, item[key]) for key in ("image", "label")}
            found[name] = Job(name, f"{ROOT}/{name}", inputs, {"split": split})
    if not found:
        raise DataError("lists no volume under train, validation or test", file=file)
    return list(found.values())


def _lists(content: Mapping[str, Any], split: str) -> list[Any] | None:
    return next((list(content[key]) for key in SPLITS[split] if isinstance(content.get(key), list)), None)


def _name(code: str, image: str) -> str:
    return f"{code}/{PurePosixPath(image).parent.name}"


def _place(base: Path, code: str, path: str) -> Path:
    """The file meant: below the release, wherever the one who wrote the list had it."""
    parts = PurePosixPath(path).parts
    below = parts[len(parts) - 1 - parts[::-1].index(code) :] if code in parts[:-1] else (code, *parts[-2:])
    if ".." in below:
        raise DataError("the path leaves the release", file=path, fix=f"keep every file under {base}")
    return base.joinpath(*below)


def _volume(path: Path, masks: tuple[int, ...]) -> npt.NDArray[Any]:
    """The image (1, Z, Y, X) in 0..1."""
    if path.suffix != ".npy":
        raise DataError(
            "the release holds image.npy files", file=path, fix="convert scans with `m3dbench data convert` instead"
        )
    try:
        volume = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError("the image is missing", file=path) from error
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"the array cannot be read: {error}", file=path, fix="copy or download it again") from error
    if volume.ndim != 4 or volume.shape[0] != 1 or volume.dtype.kind not in "fiu":
        raise DataError(f"is {volume.dtype} of shape {volume.shape}, expected numbers (1, X, Y, Z)", file=path)
    if volume.shape[1:] != masks[1:]:
        raise DataError(f"has shape {volume.shape}, its masks are of {masks}", file=path, field="shape")
    if not np.isfinite(volume).all():
        raise DataError("holds NaN or infinite values", file=path)
    return reference.unit(np.swapaxes(volume, -1, -3))


def _nothing(split: str, upstream: bool) -> npt.NDArray[Any]:
    """What stands for an absent class. The reference writes another type in the train than in the test list."""
    dtype = (np.int8 if split == "train" else np.int64) if upstream else np.bool_
    return np.zeros(ABSENT, dtype=dtype)


def _tables(base: Path, root: Path, codes: Collection[str]) -> list[str]:
    """Class names and definitions; names are merged with those that are there, by code."""
    names = read_json(base / "dataset_info.json")
    for code in codes:
        if code not in names:
            labels = read_json(base / code / f"{code}.json").get("labels", {})
            names[code] = [labels[key] for key in sorted(labels, key=int) if int(key) > 0]
    before = read_json(root / "dataset_info.json")
    write_json(root / "dataset_info.json", {**before, **{code: names[code] for code in codes}})
    files = [f"{ROOT}/dataset_info.json"]
    found = next((place / TERMS for place in (base, base.parent / ROOT) if (place / TERMS).is_file()), None)
    if found is not None and found.resolve() != (root / TERMS).resolve():
        shutil.copyfile(found, root / TERMS)
    return [*files, f"{ROOT}/{TERMS}"] if (root / TERMS).is_file() else files


def _notes(finished: Mapping[str, Mapping[str, Any]], upstream: bool, defined: bool) -> list[str]:
    told = [] if defined else [f"no {TERMS} was found: classes can be asked for by name only"]
    lost = sum(len(record["lost"]) for record in finished.values())
    slots = sum(int(record["classes"]) for record in finished.values())
    if not lost:
        return told
    why = "--recipe corrected keeps them" if upstream else "they lie outside the crop"
    return [
        *told,
        f"{lost:,} of {slots:,} masks have voxels in the release but none on the grid and count as absent ({why})",
    ]
