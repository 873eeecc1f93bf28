"""The documents that the viewer's pages are made of: plain values under short keys, alike in both forms.

``overview``: runs and tasks. ``T/list/N``: the N-th piece of the list of the T-th task, as columns. ``T/samples/N``:
the N-th few samples with texts, scores and judgements. ``volume/K``: a volume. ``T/mask/N/WHO``: a mask of the N-th
sample, WHO being ``reference`` or the number of a run. Keys hold numbers alone, never paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

from m3dbench.data.files import DataFiles, Mask, inside
from m3dbench.data.mask_files import read_mask_file
from m3dbench.data.prediction import StoredPrediction
from m3dbench.data.sample import FileRef, Sample
from m3dbench.errors import DataError, UserError
from m3dbench.metrics.pairs import DEFAULT_GRID
from m3dbench.report.viewer.overview import overview
from m3dbench.report.viewer.rows import Columns, asked_of, run_row, sample_row, strata_of
from m3dbench.report.viewer.shown_run import ShownRun, ShownTask
from m3dbench.report.viewer.volumes import mask_document, nifti, same_grid, space_of, volume_document
from m3dbench.runs.masks import read_mask

PIECE = 500
"""Samples in a piece of the list."""
PAGE = 20
"""Samples whose texts come together."""
_KEY = re.compile(r"(\d{1,6})/(list|samples|mask)/(\d{1,9})(?:/(reference|[01]))?")
_VOLUME = re.compile(r"volume/(\d{1,9})")


class Viewer:
    """The documents of one run, or of two side by side: samples are those of the first. For several threads.

    data: the data directory, those that the runs name if None. limit: only the first samples of each task.
    """

    def __init__(self, paths: Sequence[Path], *, data: Path | None = None, limit: int | None = None) -> None:
        self.runs = [ShownRun(path, data) for path in paths]
        self.tasks = list(self.runs[0].entries)
        if not self.tasks:
            raise UserError("the run has no task yet", file=paths[0], fix="start it again to resume it")
        self._limit = limit
        self._lock = RLock()
        self._volumes: list[tuple[DataFiles, FileRef]] = []
        self._numbers: dict[tuple[Path, str], int] = {}

    def document(self, key: str) -> dict[str, Any]:
        """Raises KeyError for a key that there is not."""
        with self._lock:
            if key == "overview":
                return overview(self.runs, [self.count(place) for place in range(len(self.tasks))], PIECE, PAGE)
            if found := _VOLUME.fullmatch(key):
                return self._volume(int(found[1]))
            place, kind, number, who = self._parsed(key)
            if kind == "mask":
                return self._mask(place, number, who)
            return self._list(place, number) if kind == "list" else self._samples(place, number)

    def nifti(self, key: str) -> bytes:
        """A volume or a mask as NIfTI, under the key of its document. Raises KeyError and, unreadable, DataError."""
        with self._lock:
            if found := _VOLUME.fullmatch(key):
                files, volume = self._volumes[self._known(int(found[1]), len(self._volumes))]
                values = files.volume(volume)[0]
                return nifti(values, space_of(files, volume, (values.shape[0], values.shape[1], values.shape[2])))
            place, kind, number, who = self._parsed(key)
            if kind != "mask":
                raise KeyError(key)
            task, sample = self._shown(place, number)
            mask = self._read_mask(place, sample, who)
            grid = (mask.shape[0], mask.shape[1], mask.shape[2])
            space = space_of(task.files, sample.volume, grid)
            return nifti(same_grid(mask, space.grid, sample.id), space)

    def __iter__(self) -> Iterator[str]:
        """Every key, for writing all documents; the volumes last, once each."""
        yield "overview"
        for place in range(len(self.tasks)):
            count = self.count(place)
            yield from (f"{place}/list/{number}" for number in range(-(-count // PIECE)))
            for page in range(-(-count // PAGE)):
                yield f"{place}/samples/{page}"
                for number in range(page * PAGE, min(count, (page + 1) * PAGE)):
                    yield from (f"{place}/mask/{number}/{who}" for who in self._masks(place, number))
        yield from (f"volume/{number}" for number in range(len(self._volumes)))

    def count(self, place: int) -> int:
        """Samples of a task that are shown."""
        return len(self._ids(place))

    def _ids(self, place: int) -> Sequence[str]:
        ids = self.runs[0].task(self.tasks[place]).ids
        return ids if self._limit is None else ids[: self._limit]

    def _parsed(self, key: str) -> tuple[int, str, int, str]:
        found = _KEY.fullmatch(key)
        if found is None or (found[2] == "mask") != (found[4] is not None):
            raise KeyError(key)
        place = self._known(int(found[1]), len(self.tasks))
        return place, found[2], int(found[3]), found[4] or ""

    @staticmethod
    def _known(number: int, count: int) -> int:
        if number >= count:
            raise KeyError(number)
        return number

    def _of_runs(self, place: int) -> list[ShownTask | None]:
        name = self.tasks[place]
        return [run.task(name) if name in run.entries else None for run in self.runs]

    def _shown(self, place: int, number: int) -> tuple[ShownTask, Sample]:
        ids = self._ids(place)
        task = self.runs[0].task(self.tasks[place])
        sample = task.sample(ids[self._known(number, len(ids))])
        assert sample is not None  # noqa: S101 - the ids are the manifest's
        return task, sample

    def _list(self, place: int, piece: int) -> dict[str, Any]:
        start = piece * PIECE
        ids = self._ids(place)[self._known(start, self.count(place)) : start + PIECE]
        tasks = self._of_runs(place)
        columns = [Columns() for _ in tasks]
        rows: list[tuple[str, str, str]] = []
        strata: dict[str, list[str]] = {}
        for index, sample_id in enumerate(ids):
            _, sample = self._shown(place, start + index)
            rows.append((sample.id, sample.case, asked_of(sample)))
            for task, column in zip(tasks, columns, strict=True):
                scores = task.scores(sample_id) if task is not None else []
                column.add(task.prediction(sample_id) if task is not None else None, scores)
                for dimension, value in strata_of(sample, scores).items():
                    values = strata.setdefault(dimension, [])
                    values += [""] * (index - len(values)) + ([value] if len(values) <= index else [])
        filled = {name: values + [""] * (len(ids) - len(values)) for name, values in strata.items()}
        told = {name: [row[at] for row in rows] for at, name in enumerate(("ids", "cases", "asked"))}
        return {"start": start, **told, "strata": filled, "runs": [column.to_json() for column in columns]}

    def _samples(self, place: int, page: int) -> dict[str, Any]:
        start = self._known(page * PAGE, self.count(place))
        found = []
        for number in range(start, min(start + PAGE, self.count(place))):
            task, sample = self._shown(place, number)
            tasks = self._of_runs(place)
            scores = task.scores(sample.id)
            volume = None if sample.volume is None else self._number(task, sample.volume)
            row = {**sample_row(sample), "strata": strata_of(sample, scores), "volume": volume}
            row["runs"] = [None if one is None else run_row(one, sample) for one in tasks]
            row["masks"] = list(self._masks(place, number))
            found.append(row)
        return {"start": start, "samples": found}

    def _number(self, task: ShownTask, volume: FileRef) -> int:
        name = task.root, volume.path
        if name not in self._numbers:
            self._numbers[name] = len(self._volumes)
            self._volumes.append((task.files, volume))
        return self._numbers[name]

    def _volume(self, number: int) -> dict[str, Any]:
        files, volume = self._volumes[self._known(number, len(self._volumes))]
        if not files.root.is_dir():
            return {"error": f"The data directory is no longer there: {files.root}", "gone": True}
        try:
            return volume_document(files, volume)
        except UserError as error:
            return {"error": _one_line(error)}

    def _masks(self, place: int, number: int) -> Iterator[str]:
        _, sample = self._shown(place, number)
        if sample.reference.mask is not None:
            yield "reference"
        for index, task in enumerate(self._of_runs(place)):
            prediction = task.prediction(sample.id) if task is not None else None
            if prediction is not None and prediction.mask is not None:
                yield str(index)

    def _mask(self, place: int, number: int, who: str) -> dict[str, Any]:
        task, sample = self._shown(place, number)
        try:
            mask = self._read_mask(place, sample, who)
            grid = (mask.shape[0], mask.shape[1], mask.shape[2])
            space = space_of(task.files, sample.volume, grid if mask.size > 1 else DEFAULT_GRID)
            return {**mask_document(same_grid(mask, space.grid, sample.id), space), **space.to_json()}
        except UserError as error:
            return {"error": _one_line(error)}

    def _read_mask(self, place: int, sample: Sample, who: str) -> Mask:
        task = self.runs[0].task(self.tasks[place])
        if who == "reference":
            ref = sample.reference.mask
            if ref is not None and task.own_masks:
                return read_mask_file(task.root, ref.path).mask
            return task.files.mask(ref)
        other = self._of_runs(place)[int(who)] if int(who) < len(self.runs) else None
        prediction: StoredPrediction | None = other.prediction(sample.id) if other is not None else None
        if other is None or prediction is None or prediction.mask is None:
            raise KeyError(who)
        inside(other.folder.masks, prediction.mask.shard)
        return read_mask(other.folder.masks, prediction.mask)


def _one_line(error: UserError | DataError | Mapping[str, Any]) -> str:
    return "; ".join(part.strip() for part in str(error).splitlines())
