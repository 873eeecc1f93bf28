"""``data prepare``: the cases of one kind of data, then what belongs to all of them, then the marker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m3dbench.data.failures import failure
from m3dbench.data.prepare.index import digests_of, write_marker
from m3dbench.data.prepare.recipe import Preparation, Recipe
from m3dbench.data.prepare.records import Records
from m3dbench.data.prepare.vqa import TARGET as VQA_ROOT
from m3dbench.data.prepare.vqa import Linked, prepare_vqa
from m3dbench.data.prepare.work import prepare_cases
from m3dbench.errors import UserError
from m3dbench.progress import Progress, Silent


@dataclass(frozen=True)
class Report:
    """What a preparation did. failed: case -> why. notes: what a user should know, over all cases; ``case_notes``: how
    many cases have notes of their own, in the manifest at ``manifest``. written_bytes: of all outputs."""

    directory: Path
    recipe: Recipe
    total: int
    written: int
    kept: int
    files: int
    written_bytes: int
    manifest: Path
    failed: Mapping[str, UserError] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    case_notes: int = 0


def prepare(
    preparation: Preparation,
    source: Path,
    directory: Path,
    *,
    workers: int = 1,
    keep_going: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Prepare every case of ``preparation`` into ``directory``; finished cases are kept.

    A case that cannot be prepared does not stop the others: everything is written for those that are finished, then
    one UserError tells of the failures, or with ``keep_going`` they are in the report.
    """
    _check_places(source, directory)
    directory.mkdir(parents=True, exist_ok=True)
    records = Records(directory, preparation.kind)
    done = prepare_cases(preparation, directory, records, workers, progress or Silent())
    if not done.finished:
        raise failure(done.failed, done.total)
    targets = {job.name: job.target for job in preparation.jobs()}
    records.by_case = {case: record for case, record in records.by_case.items() if case in done.finished}
    records.rewrite()
    files, notes = preparation.finish(directory, done.finished)
    digests = digests_of(directory, files)
    for case, record in done.finished.items():
        digests |= {f"{targets[case]}/{name}": value for name, (_, value) in record["outputs"].items()}
    roots = {f"{path.partition('/')[0]}/" for path in digests}
    facts = {"recipe": preparation.recipe.identity, "cases": len(done.finished), "failed": len(done.failed)}
    write_marker(directory, source, preparation.kind, facts, digests, roots)
    if done.failed and not keep_going:
        raise failure(done.failed, done.total)
    return Report(
        directory,
        preparation.recipe,
        done.total,
        done.written,
        done.kept,
        sum(len(record["outputs"]) for record in done.finished.values()) + len(files),
        sum(size for record in done.finished.values() for size, _ in record["outputs"].values()),
        records.path,
        done.failed,
        tuple(notes),
        sum(bool(record["notes"]) for record in done.finished.values()),
    )


def prepare_questions(
    source: Path, directory: Path, recipe: Recipe, progress: Progress | None = None
) -> tuple[list[Linked], Path]:
    """Prepare M3D-VQA into ``directory``: its tables, checked against the prepared volumes of M3D-Cap."""
    _check_places(source, directory)
    directory.mkdir(parents=True, exist_ok=True)
    records = Records(directory, "vqa")
    with (progress or Silent()).stage("preparing vqa", None) as advance:
        linked = prepare_vqa(source, directory, recipe, advance)
    records.by_case = {}
    for table in linked:
        file = directory / VQA_ROOT / table.table
        described: dict[str, Any] = {"case": table.table, "recipe": recipe.identity}
        described["inputs"] = {table.table: [1, table.size, table.source]}
        described["outputs"] = {f"{VQA_ROOT}/{table.table}": [file.stat().st_size, table.digest]}
        described |= {"questions": table.questions, "images": len(table.images), "missing": len(table.missing)}
        records.by_case[table.table] = described
    records.rewrite()
    digests = {f"{VQA_ROOT}/{table.table}": table.digest for table in linked}
    facts = {"recipe": recipe.identity, "tables": len(linked)}
    write_marker(directory, source, "vqa", facts, digests, digests)
    return linked, records.path


def _check_places(source: Path, directory: Path) -> None:
    if not source.is_dir():
        raise UserError("the source is not a folder", file=source, fix="give the folder with the raw release")
    if source.resolve() == directory.resolve():
        raise UserError("source and target are the same folder", file=directory, fix="write to another folder")
