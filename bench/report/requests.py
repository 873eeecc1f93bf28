"""``export requests``: what a model must answer, as files that any environment can read; no references go out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from m3dbench.data.dataset import DataSource
from m3dbench.data.files import DataFiles, inside
from m3dbench.data.manifest import parts_of, samples_of
from m3dbench.data.sample import FileRef, Sample
from m3dbench.data.variants import variant_count
from m3dbench.errors import DataError, ExitCode, UserError
from m3dbench.report.requests_readme import readme
from m3dbench.runs import jsonl
from m3dbench.runs.engine import Settings
from m3dbench.task import Asking, Task

Volumes = Literal["copy", "paths"]
REQUESTS, VOLUMES, README = "requests.jsonl", "volumes", "README.txt"


@dataclass(frozen=True)
class Exported:
    """What was written. broken: sample id -> why its volume could not be given."""

    samples: int
    volumes: int
    broken: dict[str, str]


def export_requests(
    task: Task[Any],
    source: DataSource,
    out: Path,
    settings: Settings,
    volumes: Volumes = "copy",
    advance: Callable[[int], None] = lambda _: None,
) -> Exported:
    """Write ``requests.jsonl``, ``README.txt`` and, copied, ``volumes/`` into ``out``, replacing an earlier export.

    Copies have neutral names, since a path may hold the answer (M3D-Cap's series folders name plane and phase). A
    volume that is missing makes its requests carry ``volume_error`` instead of a path. Raises UserError when ``out``
    holds other things, or when there is nothing to ask.
    """
    _claim(out)
    files = DataFiles(source.root.path)
    parts = parts_of(task, source, settings.parts)
    variants = variant_count(task, settings.words, settings.variants)
    ask = Asking(settings.seed, files.mask, settings.words)
    limit = settings.limit * variants if settings.limit is not None else None
    asked = islice(samples_of(task, source, settings.split, ask, parts, variants), limit)
    places: dict[str, Path] = {}
    broken: dict[str, str] = {}
    count = 0
    temporary = out / (REQUESTS + ".tmp")
    with temporary.open("wb") as stream:
        for sample in asked:
            row = request_row(task, sample)
            try:
                row.update(_volume(sample.volume, files, out, places, volumes))
            except DataError as error:
                broken[sample.id] = row["volume_error"] = "; ".join(part.strip() for part in str(error).splitlines())
            stream.write(jsonl.line(row))
            count += 1
            advance(1)
    if not count:
        temporary.unlink()
        raise UserError("the test set is empty: there is nothing to ask", code=ExitCode.NOTHING_TO_SCORE)
    temporary.replace(out / REQUESTS)
    jsonl.replace(out / README, readme(task, source.root.path, settings, volumes).encode())
    return Exported(count, len(places), broken)


def request_row(task: Task[Any], sample: Sample) -> dict[str, Any]:
    """What the model may know of a sample: the request, and nothing of reference, strata or case."""
    request = sample.request
    return {
        "id": sample.id,
        "task": task.name,
        "answer": task.answer,
        "kind": request.kind,
        "wording": request.wording,
        "question": request.question,
        "choices": dict(request.choices),
        "target": request.target,
        "description": request.description,
        "box": list(request.box) if request.box is not None else None,
        "volume": None,
        "grid": None,
    }


def _volume(
    ref: FileRef | None, files: DataFiles, out: Path, places: dict[str, Path], volumes: Volumes
) -> dict[str, Any]:
    if ref is None:
        return {}
    grid = files.grid(ref)
    if grid is None:
        files.volume(ref)  # raises with the reason
        raise DataError("the volume's shape cannot be read", file=ref.path)
    source = inside(files.root, ref.path)
    if volumes == "paths":
        places[ref.path] = source
        return {"volume": str(source), "grid": list(grid)}
    if ref.path not in places:
        (out / VOLUMES).mkdir(exist_ok=True)
        place = out / VOLUMES / f"{len(places):06d}{source.suffix}"
        shutil.copyfile(source, place.with_name(place.name + ".tmp"))
        place.with_name(place.name + ".tmp").replace(place)
        places[ref.path] = place
    return {"volume": places[ref.path].relative_to(out).as_posix(), "grid": list(grid)}


def _claim(out: Path) -> None:
    """Make the folder, or empty it of an earlier export."""
    if out.exists() and not out.is_dir():
        raise UserError("is a file; an export needs a folder", file=out, fix="choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    ours = {REQUESTS, REQUESTS + ".tmp", README, VOLUMES}
    strangers = sorted(path.name for path in out.iterdir() if path.name not in ours)
    if strangers:
        raise UserError(f"the folder holds other things ({strangers[0]})", file=out, fix="choose another --out")
    for name in (REQUESTS, README):
        (out / name).unlink(missing_ok=True)
    for path in (out / VOLUMES).glob("*.np*"):
        path.unlink()
