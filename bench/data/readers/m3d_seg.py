"""M3D-Seg in its prepared layout: per code, ``<code>.json`` and ``<case>/{image.npy, masks/mask_<i>.npy}``.

Items are (volume, class) slots, absent classes included; the class index stands in the mask's file name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import Any, ClassVar

from m3dbench.data.dataset import DataRoot, read_json
from m3dbench.data.readers.label_names import Label, labels_of
from m3dbench.data.readers.paths import M3D_DATA, below_root
from m3dbench.data.records import MaskRecord, Record
from m3dbench.errors import DataError, ExitCode
from m3dbench.metrics.names import words

FOLDER = "M3D_Seg_npy"
RELEASE = "M3D_Seg"
PREPARE = "m3dbench data prepare seg"
SPLIT_KEYS = {"train": ("train", "training"), "test": ("test",), "validation": ("validation", "val")}
_CODE = re.compile(r"^\d{4}$")
_INDEX = re.compile(r"^mask_(\d+)\.npy$")


class M3DSeg:
    """Masks of every code found under the data root; a code is a sub-dataset and a stratum."""

    name: ClassVar[str] = "M3D-Seg"
    kinds: ClassVar[frozenset[type[Record]]] = frozenset({MaskRecord})

    def detect(self, root: DataRoot) -> bool:
        return bool(self.parts(root)) or self._is_release(root)

    def explain(self, root: DataRoot) -> None:
        """Raises DataError where the root holds the release as it is downloaded, which no model takes."""
        if not self.parts(root) and self._is_release(root):
            raise DataError(
                "this is M3D-Seg as released (image.npy and mask_(C, X, Y, Z).npz), not as models are shown it",
                file=root.path,
                fix=f"{PREPARE} {root.path} DST, then --data DST",
                code=ExitCode.NOTHING_TO_SCORE,
            )

    def splits(self, root: DataRoot, kind: type[Record]) -> tuple[str, ...]:
        return tuple(
            split
            for split, keys in SPLIT_KEYS.items()
            if any(key in self._lists(root, code) for code in self.parts(root) for key in keys)
        )

    def parts(self, root: DataRoot) -> tuple[str, ...]:
        return tuple(
            sorted(path.stem for path in (root.path / FOLDER).glob("*/*.json") if path.stem == path.parent.name)
        )

    def sources(self, part: str) -> tuple[str, ...]:
        return (f"{self.name}/{part}", self.name, M3D_DATA) if _CODE.fullmatch(part) else ()

    def records(
        self, root: DataRoot, kind: type[Record], split: str, only: Collection[str] | None = None
    ) -> Iterator[MaskRecord]:
        names = self._names(root)
        dictionary = self._definitions(root)
        for code in self.parts(root):
            if only is not None and code not in only:
                continue
            lists = self._lists(root, code)
            items: list[Any] = next((lists[key] for key in SPLIT_KEYS.get(split, (split,)) if key in lists), [])
            classes = labels_of(code, names.get(code, []), dictionary)
            shared = shared_definitions(classes)
            for index, item in enumerate(items):
                yield self._record(root, code, f"{split}[{index}]", item, classes, shared)

    def _record(
        self,
        root: DataRoot,
        code: str,
        record: str,
        item: Any,
        classes: list[Label],
        shared: Collection[str],
    ) -> MaskRecord:
        file = f"{FOLDER}/{code}/{code}.json"
        if not isinstance(item, dict) or not all(isinstance(item.get(key), str) for key in ("image", "label")):
            raise DataError(
                "an item needs 'image' and 'label', both paths", file=file, record=record, field="image, label"
            )
        image, label = (below_root(root.path, item[key], FOLDER, FOLDER) for key in ("image", "label"))
        match = _INDEX.match(PurePosixPath(label).name)
        if match is None:
            raise DataError(
                f"{item['label']!r} is not a prepared mask",
                file=file,
                record=record,
                field="label",
                fix=_unprepared(label),
            )
        index = int(match.group(1))
        if index >= len(classes):
            raise DataError(
                f"class index {index} is not in dataset_info.json, which names {len(classes)} classes for {code}",
                file=file,
                record=record,
                field="label",
                fix=f"add the class to {FOLDER}/dataset_info.json",
            )
        case = f"{code}/{PurePosixPath(image).parent.name}"
        one = classes[index]
        return MaskRecord(
            id=f"{case}/{index}",
            case=case,
            volume=root.file(image),
            mask=root.mask(label),
            name=one.name,
            definitions=one.definitions,
            ambiguous=frozenset(text for text in one.definitions if _key(text) in shared),
            strata={"dataset": code, "class": one.name},
            note=f"{code}: {one.note}" if one.note else "",
            listed=one.listed if one.listed != one.name else "",
        )

    @staticmethod
    def _is_release(root: DataRoot) -> bool:
        places = (root.path / RELEASE, root.path)
        return any(path.stem == path.parent.name for place in places for path in place.glob("[0-9]*/[0-9]*.json"))

    def _lists(self, root: DataRoot, code: str) -> dict[str, Any]:
        content = read_json(root.path / FOLDER / code / f"{code}.json")
        if not isinstance(content, dict):
            raise DataError("expected an object with 'train' and 'test'", file=f"{FOLDER}/{code}/{code}.json")
        return content

    def _names(self, root: DataRoot) -> dict[str, list[str]]:
        path = root.path / FOLDER / "dataset_info.json"
        if not path.is_file():
            raise DataError(
                "the class names are missing", file=f"{FOLDER}/dataset_info.json", fix="code -> list of names"
            )
        content = read_json(path)
        if not isinstance(content, dict):
            raise DataError("expected an object of code -> list of names", file=f"{FOLDER}/dataset_info.json")
        return content

    def _definitions(self, root: DataRoot) -> dict[str, list[str]]:
        path = root.path / FOLDER / "term_dictionary.json"
        return read_json(path) if path.is_file() else {}


def shared_definitions(classes: Collection[Label]) -> frozenset[str]:
    """The normalised definitions that two classes of one code have; two classes of the same name share them all."""
    owners = Counter(key for one in classes for key in {_key(text) for text in one.definitions})
    return frozenset(key for key, classes in owners.items() if classes > 1)


def _key(definition: str) -> str:
    """Definitions that differ only in case, punctuation or articles say the same."""
    return " ".join(words(definition))


def _unprepared(label: str) -> str:
    if label.endswith(".npz"):
        return f"this is the release, not its prepared form: {PREPARE} SRC DST"
    return "prepared masks are named mask_<class index>.npy, one file a class"
