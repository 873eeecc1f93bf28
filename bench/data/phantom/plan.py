"""Which cases a phantom data set holds: ids, splits and the leaks planted between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .facts import facts_of

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of report cases by split; the other parts follow from them."""

    train: int
    validation: int
    test: int

    def volumes(self, code: str) -> tuple[int, int]:
        """Train and test volumes of a segmentation data set."""
        train = {"0003": -(-self.train // 3), "0011": -(-self.train // 3), "0012": -(-self.train // 5)}[code]
        test = {"0003": self.test, "0011": -(-2 * self.test // 3), "0012": -(-2 * self.test // 5)}[code]
        return train, test

    @property
    def referring(self) -> tuple[int, int]:
        """Train and test cases of M3D-RefSeg."""
        return -(-self.train // 3), -(-self.test // 3)


@dataclass(frozen=True, slots=True)
class CapCase:
    """A folder of M3D-Cap: ``folder`` is "ct_case/000001" or the like, ``drawn`` the id its volumes are drawn from.

    ``series``: which of the case's series are in this split; ``shout``: the text is written in capitals with wide
    spaces, equal to its original only after normalisation.
    """

    folder: str
    drawn: str
    split: Split
    series: tuple[int, ...]
    shout: bool = False


# The numbers that test ids start from; training and validation share the low numbers.
_FIRST_TEST, _FIRST_VALIDATION, _FIRST_COPY = 5000, 3000, 900


def _ids(split: Split, sizes: Sizes) -> list[str]:
    match split:
        case "train":
            # Both folders take all turns of the rarities, which go by the number.
            return [f"{'ct_case' if index % 2 else 'ct_quizze'}/{index + 1:06d}" for index in range(sizes.train)]
        case "validation":
            return [f"ct_quizze/{_FIRST_VALIDATION + index:06d}" for index in range(sizes.validation)]
        case _:
            return [f"ct_quizze/{_FIRST_TEST + index:06d}" for index in range(sizes.test)]


def cap_cases(sizes: Sizes, seed: int) -> list[CapCase]:
    """All folders of M3D-Cap, the leaking ones included.

    Three leaks are planted where there are enough test cases. The first test case with several series has its last one
    in train. The first and the second test case have a copy in train under ``ct_case`` and another number: the first
    with the same text, the second with a text that is equal only after normalisation.
    """
    cases: list[CapCase] = []
    split_case = ""
    for split in SPLITS:
        for folder in _ids(split, sizes):
            count = len(facts_of(folder, seed=seed).series)
            if split == "test" and count > 1 and not split_case and sizes.train:
                split_case = folder
                cases.append(CapCase(folder, folder, "train", (count - 1,)))
                count -= 1
            cases.append(CapCase(folder, folder, split, tuple(range(count))))
    for index, source in enumerate(_ids("test", sizes)[:2] if sizes.train else []):
        cases.append(CapCase(f"ct_case/{_FIRST_COPY + index:06d}", source, "train", (0,), shout=index == 1))
    return cases


def planted_leaks(sizes: Sizes, seed: int) -> list[dict[str, str]]:
    """What an audit should find: kind ("case", "text", "normalised text" or "volume"), and the two sides."""
    cases = cap_cases(sizes, seed)
    tests = {case.drawn: case.folder for case in cases if case.split == "test"}
    leaks: list[dict[str, str]] = []
    for case in cases:
        if case.split == "train" and case.drawn in tests:
            kind = "case" if case.folder in tests else "normalised text" if case.shout else "text"
            root = "M3D_Cap_npy"
            leaks.append({"kind": kind, "test": f"{root}/{tests[case.drawn]}", "train": f"{root}/{case.folder}"})
    for code in ("0003", "0011", "0012"):
        leaks.extend(
            {"kind": "volume", "test": f"M3D_Seg_npy/{volume.drawn}", "train": f"M3D_Seg_npy/{volume.folder}"}
            for volume in seg_volumes(code, sizes)
            if volume.drawn != volume.folder
        )
    return leaks


@dataclass(frozen=True, slots=True)
class SegVolume:
    """A folder of M3D-Seg, "0003/Case_00001" or the like, and the id it is drawn from."""

    folder: str
    drawn: str
    split: Split


_NAMES = {"0003": "Case_{:05d}", "0011": "s{:04d}", "0012": "volume-{}"}


def seg_volumes(code: str, sizes: Sizes) -> list[SegVolume]:
    """The volumes of a segmentation data set. The first train volume of 0011 is the first test volume of 0003."""
    train, test = sizes.volumes(code)
    folders = [f"{code}/{_NAMES[code].format(index)}" for index in range(train + test)]
    volumes = [SegVolume(folder, folder, "train" if index < train else "test") for index, folder in enumerate(folders)]
    if code == "0011" and train and sizes.test:
        first = next(volume for volume in seg_volumes("0003", sizes) if volume.split == "test")
        volumes[0] = SegVolume(volumes[0].folder, first.folder, "train")
    return volumes


def refseg_cases(sizes: Sizes, seed: int) -> list[tuple[str, Split]]:
    """Ids "s0000" and on of the cases that have something to refer to, with their split."""
    train, test = sizes.referring

    def eligible() -> Iterator[str]:
        index = 0
        while True:
            if facts_of(f"RefSeg/s{index:04d}", seed=seed).findings:
                yield f"s{index:04d}"
            index += 1

    return [
        (name, "train" if index < train else "test")
        for index, name in zip(range(train + test), eligible(), strict=False)
    ]
