"""Controls: what a model is shown instead of the real thing, to see how much its answers rest on it.

A control acts between the data and the model: on volumes after the load checks, or on the records before the task asks
about them. Train splits stay as they are. A volume has one replacement, whichever sample asks for it, so an adapter may
keep what it computed of a volume.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from m3dbench.data.dataset import DataSource, R
from m3dbench.data.files import Change, DataFiles, Volume
from m3dbench.data.manifest import Manifest
from m3dbench.data.records import QuestionRecord
from m3dbench.data.sample import AnswerKind, FileRef
from m3dbench.data.seeds import generator
from m3dbench.errors import DataError, ExitCode, UserError

PERMUTE_CHOICES = "permute-choices"
CONTROLS: Mapping[str, str] = {
    "blank": "the volume is its own mean everywhere",
    "swap": "the volume of another case, on the same grid",
    "shuffle-slices": "the volume's slices (axis D) in another order",
    PERMUTE_CHOICES: "the offered letters stand before other choices; closed questions only",
}


def applies(control: str, answer: AnswerKind) -> bool:
    """Whether a task with this kind of answer has what the control changes."""
    return control != PERMUTE_CHOICES or answer == "choice"


def check(control: str, task: str, answer: AnswerKind) -> None:
    """Raises UserError for a control that does not exist or changes nothing about the task."""
    if control and control not in CONTROLS:
        raise UserError(f"there is no control {control!r}", field="--control", fix=f"one of: {', '.join(CONTROLS)}")
    if not applies(control, answer):
        raise UserError(f"{task} offers no choices to permute", field="--control", code=ExitCode.NOTHING_TO_SCORE)


def asked(control: str, source: DataSource, seed: int) -> DataSource:
    """The data source whose records a control lets the task ask about."""
    return Permuted(source.root, source.datasets, seed) if control == PERMUTE_CHOICES else source


def shown(control: str, files: DataFiles, manifest: Manifest, seed: int) -> DataFiles:
    """The files as a control shows them to the model: other voxels, the same grids and masks.

    Raises UserError when ``swap`` has only one case.
    """
    if control == "swap" and manifest.cases < 2:
        raise UserError("a swap needs volumes of two cases, and the test set has one", field="--control")
    changes: Mapping[str, Change] = {
        "blank": _blank,
        "shuffle-slices": partial(_shuffle, seed),
        "swap": _Swap(files, manifest, seed),
    }
    return DataFiles(files.root, change=changes[control]) if control in changes else files


def _blank(_: FileRef, volume: Volume) -> Volume:
    return np.full_like(volume, volume.mean(dtype=np.float64))


def _shuffle(seed: int, ref: FileRef, volume: Volume) -> Volume:
    """(1, D, H, W) with its slices along D in an order that is not the old one."""
    depth = volume.shape[1]
    if depth < 2:
        raise DataError("has one slice: there is nothing to shuffle", file=ref.path)
    return volume[:, _permutation(depth, seed, "shuffle-slices", ref.path)]


def _permutation(size: int, seed: int, *names: str) -> list[int]:
    """A permutation of ``size`` > 1 things other than the identity, all others equally likely."""
    draws = generator(seed, *names)
    while (order := draws.permutation(size).tolist()) == list(range(size)):
        pass
    return list(order)


@dataclass
class _Swap:
    """The volume of another case: the first in an order of its own that can be read and has the same grid."""

    files: DataFiles
    manifest: Manifest
    seed: int

    def __post_init__(self) -> None:
        self._cases: dict[str, str] = {}
        self._refs: list[FileRef] = []

    def __call__(self, ref: FileRef, volume: Volume) -> Volume:
        if not self._refs:
            self._list()
        for index in generator(self.seed, "swap", ref.path).permutation(len(self._refs)).tolist():
            other = self._refs[index]
            if self._cases[other.path] == self._cases[ref.path] or self.files.grid(other) != volume.shape[-3:]:
                continue
            try:
                return self.files.volume(other)
            except DataError:
                continue  # it is recorded where it is the sample's own
        raise DataError("no other case has a readable volume of the same grid to swap with", file=ref.path)

    def _list(self) -> None:
        for sample in self.manifest:
            if sample.volume is not None and sample.volume.path not in self._cases:
                self._cases[sample.volume.path] = sample.case
                self._refs.append(sample.volume)


@dataclass(frozen=True)
class Permuted(DataSource):
    """A data source whose questions come with their letters before other choices; the right letter goes along."""

    seed: int = 0

    def records(self, kind: type[R], split: str, only: Collection[str] | None = None) -> Iterator[R]:
        return (self._permuted(record) for record in super().records(kind, split, only))

    def _permuted(self, record: R) -> R:
        if not isinstance(record, QuestionRecord) or len(record.choices) < 2:
            return record
        letters = list(record.choices)
        order = _permutation(len(letters), self.seed, PERMUTE_CHOICES, record.id)
        return replace(
            record,
            choices={letter: record.choices[letters[old]] for letter, old in zip(letters, order, strict=True)},
            letter=letters[order.index(letters.index(record.letter))],
        )
