"""``export attention``: how much each slice counted in a run's answers, as rows and as pictures."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from m3dbench.data.files import load_volume
from m3dbench.errors import UserError
from m3dbench.report.mask_export import answers_of, file_of
from m3dbench.report.slice_figure import slices_png
from m3dbench.runs import jsonl
from m3dbench.runs.folder import RunFolder

INDEX = "attention.jsonl"


@dataclass
class SliceExport:
    """What was written: rows of answers with weights, pictures of them. without: answers that have no weights."""

    rows: int = 0
    pictures: int = 0
    without: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)


def export_slices(
    run: RunFolder,
    out: Path,
    *,
    data: Path | None = None,
    tasks: Collection[str] | None = None,
    samples: Collection[str] | None = None,
    limit: int | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> SliceExport:
    """Write ``OUT/attention.jsonl``, a row an answer with slice weights, and their pictures ``OUT/TASK/ID.png``.

    samples: only these. limit: pictures of the first so many of each task; rows are of all. data: the data directory,
    the one that the run names if None. Raises UserError when no answer has weights, when a sample or task is not in the
    run, and for a task that the model was shown under a control, since the stored volumes are not what it saw.
    """
    entries = run.content()["tasks"]
    if unknown := [name for name in tasks or () if name not in entries]:
        raise UserError(f"the run has no task {unknown[0]!r}", file=run.path, field="--task", fix=", ".join(entries))
    done = SliceExport()
    rows: list[dict[str, Any]] = []
    used: set[PurePosixPath] = set()
    left = set(samples or ())
    for name in tasks or entries:
        drawn = 0
        root = data or Path(entries[name]["data_root"])
        for sample, stored in answers_of(run.task(name)):
            if samples and sample.id not in samples:
                continue
            left.discard(sample.id)
            advance(1)
            if stored is None or stored.slices is None:
                done.without += 1
                continue
            if control := entries[name].get("control"):
                raise UserError(
                    f"{name} was run with --control {control}: the stored volumes are not what the model saw",
                    file=run.path,
                    fix="export a run without a control",
                )
            row = {"task": name, "id": sample.id, "file": None, "question": stored.wording, "answer": stored.text}
            rows.append(
                row | {"weights": stored.slices.weights, "first": stored.slices.first, "stop": stored.slices.stop}
            )
            if limit is not None and drawn >= limit:
                continue
            drawn += 1
            try:
                if sample.volume is None:
                    raise UserError("the sample has no volume")
                volume = load_volume(root, sample.volume)[0]
                place = file_of(name, sample.id, ".png", used)
                words = {"question": stored.wording, "answer": stored.text or "", "title": f"{name}  {sample.id}"}
                slices_png(volume, stored.slices, out / place, **words)
                rows[-1]["file"] = str(place)
                done.pictures += 1
            except UserError as error:
                done.unreadable[sample.id] = rows[-1]["reason"] = error.message.splitlines()[0]
    if left:
        raise UserError(f"the run has no sample {min(left)!r}", file=run.path, field="--sample")
    if not rows:
        fix = "run a model that weighs slices, such as med-2e3"
        raise UserError("no answer of this run has slice weights", file=run.path, fix=fix)
    done.rows = len(rows)
    out.mkdir(parents=True, exist_ok=True)
    jsonl.replace(out / INDEX, b"".join(map(jsonl.line, rows)))
    return done
