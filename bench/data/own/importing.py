"""Writing an M3D-style directory from a table of own data: all of it, or nothing."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from m3dbench.data.convert.index import write_index
from m3dbench.data.convert.place import HU_WINDOW, place_scan
from m3dbench.data.convert.prepared import MARKER, ROOT, check_code, digest, merge_classes, save_array, write_json
from m3dbench.data.convert.split import Split
from m3dbench.data.own.checks import SPLITS, Problem, refuse
from m3dbench.data.own.regions import Job, boxed, what, write_boxes, write_masks
from m3dbench.data.own.rows import Row, read_table
from m3dbench.data.raw import read_scan
from m3dbench.data.readers import boxes as box_layout
from m3dbench.data.readers.m3d_cap import SPLIT_FILE
from m3dbench.data.readers.m3d_vqa import LETTERS
from m3dbench.errors import UserError
from m3dbench.progress import Progress, Silent

KIND = "imported"
REPORTS = "M3D_Cap_npy/own"
QUESTIONS = "M3D-VQA"
Study = tuple[str, str]


@dataclass(frozen=True)
class Imported:
    """What an import wrote. unused: columns of the table that mean nothing here."""

    directory: Path
    cases: int
    volumes: int
    reports: int
    questions: int
    masks: int
    boxes: int
    unused: tuple[str, ...] = ()


def import_table(
    table: Path,
    directory: Path,
    *,
    code: str = "own",
    grid: tuple[int, int, int] = (32, 256, 256),
    hu: bool = True,
    progress: Progress | None = None,
) -> Imported:
    """Make ``directory`` from a table (columns: :mod:`m3dbench.data.own.rows`).

    code: name of the sub-dataset of the masks. grid: (D, H, W) of the volumes written. hu: the volumes are CT in HU and
    are windowed as converted data are; False: each is scaled from its own lowest to its own highest value.

    Raises UserError that names every wrong row; ``directory`` is then as it was before, absent or empty.
    """
    check_code(code)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError("is not empty", file=directory, fix="choose another directory, or remove it first")
    rows, unused = read_table(table)
    studies: dict[Study, list[Row]] = {}
    for row in rows:
        studies.setdefault(row.study, []).append(row)
    made = directory.with_name(directory.name + ".partial")
    shutil.rmtree(made, ignore_errors=True)
    try:
        names = list(dict.fromkeys(row.name for row in rows if row.mask is not None))
        volumes = Counter(case for case, _ in studies)
        many = [case for case, count in volumes.items() if count > 1]
        job = Job(made, code, names, grid, HU_WINDOW if hu else None, [], frozenset(many))
        if names:
            merge_classes(made, code, names)
        with (progress or Silent()).stage("importing", len(studies)) as advance:
            for own in studies.values():
                _study(job, own)
                advance(1)
        refuse(table, job.problems)
        _tables(job, studies)
        _mark(job, table, studies)
        if directory.exists():
            directory.rmdir()
        directory.parent.mkdir(parents=True, exist_ok=True)
        made.replace(directory)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return Imported(
        directory,
        len({row.case for row in rows}),
        len(studies),
        len({row.study for row in rows if row.report}),
        sum(bool(row.question) for row in rows),
        sum(row.mask is not None for row in rows),
        len({(*row.study, row.name) for row in rows if row.box}),
        tuple(unused),
    )


def _study(job: Job, rows: list[Row]) -> None:
    """Write one volume with everything that the table says of it; what is wrong with it becomes problems."""
    first = rows[0]
    try:
        scan = read_scan(first.volume)
        geometry, image = place_scan(scan, job.grid, job.window)
    except UserError as error:
        job.problems.append(Problem(first.line, "volume", what(error), error.fix or "give another file"))
        return
    volume = image[np.newaxis]
    if any(row.report or row.question for row in rows):
        folder = job.folder / REPORTS / first.case
        save_array(folder / f"{first.series}.npy", volume)
        report = next((row.report for row in rows if row.report), "")
        if report:
            (folder / f"{first.series}.txt").write_text(report + "\n", encoding="utf-8")
    if any(row.mask is not None for row in rows):
        write_masks(job, rows, scan, geometry, volume)
    if any(row.box for row in rows):
        write_boxes(job, rows, scan, geometry, volume)


def _tables(job: Job, studies: Mapping[Study, list[Row]]) -> None:
    """The tables of reports, questions and boxes."""
    reports: dict[str, list[dict[str, str]]] = {}
    questions: dict[str, list[list[str]]] = {}
    boxes: dict[str, list[list[str]]] = {}
    for (case, series), rows in studies.items():
        split = rows[0].split
        base = f"{REPORTS}/{case}/{series}"
        if any(row.report for row in rows):
            reports.setdefault(split, []).append({"image": f"{base}.npy", "text": f"{base}.txt"})
        report = next((row.report for row in rows if row.report), "")
        for row in rows:
            if row.question:
                content = [f"{base}.npy", report, row.question_type or "own", row.question]
                questions.setdefault(split, []).append([*content, *row.choices, row.answer, row.letter])
        place = f"{box_layout.FOLDER}/{job.code}/{job.place(rows[0])}"
        for index, name in enumerate(boxed(rows)):
            boxes.setdefault(split, []).append([f"{place}/image.npy", f"{place}/box_{index}.npy", name])
    if reports:
        write_json(job.folder / SPLIT_FILE, {split: reports[split] for split in SPLITS if split in reports})
    header = ["Image Path", "Text", "Question Type", "Question", *(f"Choice {letter}" for letter in LETTERS)]
    for split, lines in questions.items():
        name = {"validation": "val"}.get(split, split)
        _csv(job.folder / QUESTIONS / f"M3D_VQA_{name}.csv", [*header, "Answer", "Answer Choice"], lines)
    for split, lines in boxes.items():
        name = {"validation": "val"}.get(split, split)
        _csv(job.folder / box_layout.FOLDER / f"{box_layout.FOLDER}_{name}.csv", list(box_layout.COLUMNS), lines)


def _csv(path: Path, header: list[str], rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])


def _mark(job: Job, table: Path, studies: Mapping[Study, list[Row]]) -> None:
    """The split file of the masks, and the marker over everything."""
    told = f"own data ({table.name}, {digest([table])[:12]})"
    if job.names:
        cases = {job.place(rows[0]): rows[0].split for rows in studies.values() if any(row.mask for row in rows)}
        lists = {split: tuple(sorted(case for case in cases if cases[case] == split)) for split in SPLITS}
        split = Split(lists["train"], lists["test"], told, validation=lists["validation"])
        write_index(job.folder, job.code, job.names, split)
    files = [path for path in sorted(job.folder.rglob("*")) if path.is_file() and path.name != MARKER]
    named = {path.relative_to(job.folder).as_posix(): digest([path]) for path in files}
    readers = {"M3D-Cap": SPLIT_FILE, "M3D-VQA": f"{QUESTIONS}/", job.code: f"{ROOT}/", "boxes": box_layout.FOLDER}
    parts = [part for part, place in readers.items() if any(name.startswith(place) for name in named)]
    write_json(job.folder / MARKER, {"kind": KIND, "splits": dict.fromkeys(parts, told), "digests": named})
