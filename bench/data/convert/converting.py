"""A public release of NIfTI scans and labels into the prepared M3D-Seg layout, driven by a label table.

Target, below ``M3D_Seg_npy``: ``<code>/<case>/image.npy`` float32 (1, D, H, W) 0..1, ``masks/mask_<i>.npy`` bool of the
same shape, or zeros (1, 1, 1, 1) for a class that is absent in the scan, ``geometry.json`` for the way back,
``<code>/<code>.json`` and ``dataset_info.json``. Axes and their directions are those of
:mod:`m3dbench.data.geometry`.

Intensity: HU are clipped to -1024..1500 and brought linearly to 0..1. A fixed window, unlike the reference's
percentiles, keeps HU recoverable (``hu_window`` in geometry.json) and the same in every case; -1024 is where 12-bit
CT starts, and 1500 leaves all soft tissue, contrast and nearly all bone unclipped: only metal and enamel lie above.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from m3dbench.data.convert.cases import Case, find_cases
from m3dbench.data.convert.index import KIND, divide, write_index
from m3dbench.data.convert.labels import Classes, case_classes, read_classes, read_masks
from m3dbench.data.convert.place import HU_WINDOW, place_scan
from m3dbench.data.convert.prepared import ROOT, check_code, claim, digest, merge_classes, save_array
from m3dbench.data.convert.split import ALL_TEST, Split, of_m3d
from m3dbench.data.convert.table import Table
from m3dbench.data.geometry import read_geometry, to_grid, write_geometry
from m3dbench.data.raw import read_scan
from m3dbench.errors import DataError, UserError

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class ConversionReport:
    """What a conversion did: cases converted now, kept from before, and failed (case to error text)."""

    directory: Path
    code: str
    classes: tuple[str, ...]
    converted: tuple[str, ...]
    kept: tuple[str, ...]
    failed: Mapping[str, str] = field(default_factory=dict)
    split: Split = field(default_factory=lambda: Split((), (), ALL_TEST))


def convert(
    table: Table,
    source: Path,
    directory: Path,
    *,
    labels: Path | None = None,
    code: str = "",
    grid: tuple[int, int, int] = (32, 256, 256),
    m3d_split: Path | None = None,
    train_fraction: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    keep_going: bool = False,
) -> ConversionReport:
    """Convert every case of ``source`` into ``directory``; finished cases whose source did not change are kept.

    labels: what label numbers mean, instead of the data's or the table's own. code: another than the table's. grid:
    (D, H, W) in voxels. m3d_split: ``<code>.json`` of an M3D-Seg release, default ``<source>/<code>.json`` where it is:
    its test cases are used. Otherwise ``train_fraction`` of the cases (default: the table's) go into ``train``, drawn
    by ``seed``. progress: called after each case with (done, total, case). One case's scan and one mask are in memory
    at a time.

    A case that cannot be converted does not stop the others: the split file and the marker are written for all that
    are finished, then the first failure is raised as UserError, or with ``keep_going`` the failures are in the report.
    """
    code = check_code(code or table.code or table.name)
    fraction = table.train_fraction if train_fraction is None else train_fraction
    _check_options(grid, fraction)
    if m3d_split is None and train_fraction is None and (source / f"{code}.json").is_file():
        m3d_split = source / f"{code}.json"
    if m3d_split is not None and not m3d_split.is_file():
        raise UserError("the split file is missing", file=m3d_split)
    cases = find_cases(source, table)
    classes = read_classes(table, source, labels, cases)
    if m3d_split is not None:  # a wrong file is told before hours of work
        of_m3d(m3d_split, {case.name: case.scan.name for case in cases})
    claim(directory, KIND)
    names = merge_classes(directory, code, list(table.labels) or list(classes.numbers))
    base = directory / ROOT / code
    converted: list[str] = []
    kept: list[str] = []
    failed: dict[str, UserError] = {}
    for done, case in enumerate(cases, start=1):
        try:
            fresh = _convert_case(case, classes, names, base, grid, case.scan.relative_to(source).as_posix())
            (converted if fresh else kept).append(case.name)
        except UserError as error:
            failed[case.name] = error
        finally:
            shutil.rmtree(base / ".partial", ignore_errors=True)
        if progress is not None:
            progress(done, len(cases), case.name)
    if not any(base.glob("*/geometry.json")):
        _raise_first(failed, len(cases))
    split = divide(directory, code, m3d_split, fraction, seed)
    write_index(directory, code, names, split, table=table.name, title=table.title, licence=table.licence)
    if failed and not keep_going:
        _raise_first(failed, len(cases))
    texts = {name: str(error) for name, error in failed.items()}
    return ConversionReport(directory, code, tuple(names), tuple(converted), tuple(kept), texts, split)


def _check_options(grid: tuple[int, int, int], train_fraction: float) -> None:
    if len(grid) != 3 or min(grid) < 1:
        raise UserError(f"the grid {grid} is not three positive sizes", field="grid", fix="for example 32,256,256")
    if not 0 <= train_fraction < 1:
        raise UserError(f"{train_fraction} is no fraction", field="train_fraction", fix="give 0 or more, below 1")


def _raise_first(failed: Mapping[str, UserError], total: int) -> None:
    name, error = next(iter(failed.items()))
    others = f" (failed too: {', '.join(list(failed)[1:6])})" if len(failed) > 1 else ""
    raise UserError(
        f"{len(failed)} of {total} cases failed, the others are finished{others}. {name}: {error.message}",
        file=error.file,
        record=name,
        field=error.field,
        fix=error.fix or "mend or move this case away and run again: finished cases are kept",
    ) from error


def _convert_case(
    case: Case, classes: Classes, names: list[str], base: Path, grid: tuple[int, int, int], place: str
) -> bool:
    """Write one case; False when it was there already, made from the same files with the same classes and grid."""
    try:
        source_digest = _source_digest(case, classes)
    except FileNotFoundError as error:
        missing = Path(error.filename)
        what = "scan is" if missing == case.scan else "labels are"
        raise DataError(f"the {what} missing", file=missing, fix="every case needs both a scan and labels") from error
    annotated = case_classes(case, classes)
    final = base / case.name
    if (final / "geometry.json").is_file():
        before = read_geometry(final / "geometry.json")
        if before.grid != grid:
            raise UserError(
                f"was converted to the grid {before.grid}, now {grid} is asked",
                file=final / "geometry.json",
                field="grid",
                fix="use the same grid, or another directory",
            )
        unlabelled = tuple(index for index, name in enumerate(names) if name not in annotated)
        if before.source_digest == source_digest and before.hu_window == HU_WINDOW and before.unlabelled == unlabelled:
            return False
    partial = base / ".partial" / case.name
    shutil.rmtree(partial, ignore_errors=True)
    _write_case(case, classes, names, partial, grid, (place, source_digest))
    shutil.rmtree(final, ignore_errors=True)
    partial.replace(final)
    return True


def _source_digest(case: Case, classes: Classes) -> str:
    """Changes with the files, and for a multi-label file with what its numbers mean."""
    content = digest(case.files)
    if case.labels is None:
        return content
    return hashlib.sha256((content + json.dumps(classes.to_json(), sort_keys=True)).encode()).hexdigest()


def _write_case(
    case: Case,
    classes: Classes,
    names: list[str],
    folder: Path,
    grid: tuple[int, int, int],
    origin: tuple[str, str],
) -> None:
    scan = read_scan(case.scan)
    geometry, image = place_scan(scan, grid)
    digests = {"image.npy": save_array(folder / "image.npy", image[np.newaxis])}
    index_of = {name: index for index, name in enumerate(names)}
    thin: list[int] = []
    absent = {index_of[name] for name in case_classes(case, classes)}
    for name, native in read_masks(case, scan, classes):
        index = index_of[name]
        mask, needed = to_grid(native, geometry)
        if needed:
            thin.append(index)
        if mask.any():
            absent.discard(index)
            file = f"masks/mask_{index}.npy"
            digests[file] = save_array(folder / file, mask[np.newaxis])
    for index in sorted(absent):
        file = f"masks/mask_{index}.npy"
        digests[file] = save_array(folder / file, np.zeros((1, 1, 1, 1), dtype=np.bool_))
    annotated = case_classes(case, classes)
    complete = replace(
        geometry,
        thin=tuple(sorted(thin)),
        absent=tuple(sorted(absent)),
        unlabelled=tuple(index for index, name in enumerate(names) if name not in annotated),
        source=origin[0],
        source_digest=origin[1],
        digests=digests,
    )
    write_geometry(folder / "geometry.json", complete)
