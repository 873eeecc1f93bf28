"""Scoring answers that are already there: from a file's rows to samples and stored predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m3dbench.data.answers import AnswerFile, AnswerRow, declared_convention
from m3dbench.data.mask_files import read_mask_file
from m3dbench.data.prediction import StoredPrediction
from m3dbench.data.sample import AnswerKind, MaskRef, Reference, Request, Sample
from m3dbench.errors import DataError, ExitCode, UserError
from m3dbench.metrics.absence import states_absence
from m3dbench.metrics.box_convention import BoxConvention
from m3dbench.metrics.box_text import BoxAnswer, box_from_text, read_box
from m3dbench.metrics.choice_text import extract_choice
from m3dbench.metrics.pairs import DEFAULT_GRID, Box
from m3dbench.runs.journal import Journal
from m3dbench.runs.masks import MaskShards

Grid = tuple[int, int, int]


@dataclass
class Counts:
    """Ids of a scored file: missing from it, given twice, asked of nobody."""

    missing: int = 0
    duplicate: int = 0
    unknown: int = 0
    examples: dict[str, str] = field(default_factory=dict)

    def note(self, kind: str, sample_id: str) -> None:
        setattr(self, kind, getattr(self, kind) + 1)
        self.examples.setdefault(kind, sample_id)

    def to_json(self) -> dict[str, int]:
        return {"missing": self.missing, "duplicate": self.duplicate, "unknown": self.unknown}


def convention_of(row: AnswerRow, default: BoxConvention) -> BoxConvention:
    """The box convention that a row declares, else the file's."""
    return declared_convention(row.box_convention) if row.box_convention else default


def sample_of(row: AnswerRow, kind: AnswerKind, file: AnswerFile, grid: Grid, convention: BoxConvention) -> Sample:
    """The sample that a row with its own reference describes. Raises DataError when the reference is unusable."""
    if row.reference is None and kind not in ("box", "mask"):
        raise DataError(
            "the row has no reference",
            file=file.path,
            record=row.id,
            field="reference",
            fix="add it, or give --data DIR",
        )
    text = row.reference if isinstance(row.reference, str) else ""
    common: dict[str, Any] = {"id": row.id, "case": row.case or row.id, "strata": row.strata}
    if kind == "choice":
        letter = row.letter or (extract_choice(text, row.choices or dict.fromkeys("ABCD", "")) or "")
        choices = row.choices or dict.fromkeys("ABCD", "")
        if letter not in choices:
            raise DataError(
                f"the reference {row.letter or text!r} names no offered choice ({', '.join(choices)})",
                file=file.path,
                record=row.id,
                field="reference",
                fix="give the right letter, or the text of one of the row's `choices`",
            )
        request = Request("choose", question=row.question, choices=choices)
        return Sample(request=request, reference=Reference(text=text, choice=letter), **common)
    if kind == "text":
        reference = Reference(text=text.strip(), names=tuple(row.names), present=row.present)
        return Sample(request=Request("answer", question=row.question), reference=reference, **common)
    if kind == "box":
        box = _reference_box(row, file, grid, convention)
        reference = Reference(text=text, box=box, present=box is not None)
        return Sample(request=Request("locate", question=row.question), reference=reference, **common)
    if not isinstance(row.reference, str):
        raise DataError(
            "the row has no reference mask", file=file.path, record=row.id, field="reference", fix="give a path"
        )
    return Sample(
        request=Request("segment", question=row.question), reference=Reference(mask=MaskRef(row.reference)), **common
    )


def _reference_box(row: AnswerRow, file: AnswerFile, grid: Grid, convention: BoxConvention) -> Box | None:
    if row.reference is None:
        return None
    answer = _read(row.reference, convention_of(row, convention), grid)
    if answer.box is None and (answer.found or not isinstance(row.reference, str)):
        raise DataError(
            f"the reference box cannot be read: {answer.reason}", file=file.path, record=row.id, field="reference"
        )
    return answer.box


def _read(value: str | list[float], convention: BoxConvention, grid: Grid) -> BoxAnswer:
    if isinstance(value, str):
        return box_from_text(value, convention=convention, grid=grid)
    return read_box(value, convention=convention, grid=grid)


def prediction_of(
    row: AnswerRow,
    kind: AnswerKind,
    file: AnswerFile,
    grid: Grid,
    convention: BoxConvention,
    index: int,
    shards: MaskShards,
) -> StoredPrediction:
    """The stored form of a row's answer; an answer that cannot be read is an ``error`` with the reason."""
    if row.status != "ok":
        return StoredPrediction(row.id, status=row.status, reason=row.reason or "no reason given")
    if kind in ("choice", "text"):
        if row.prediction is None or isinstance(row.prediction, list):
            return StoredPrediction(row.id, status="error", reason="the row's prediction is not text")
        return StoredPrediction(row.id, text=row.prediction)
    if kind == "box":
        if row.prediction is None:
            return StoredPrediction(row.id, absent=True)
        answer = _read(row.prediction, convention_of(row, convention), grid)
        text = row.prediction if isinstance(row.prediction, str) else None
        unparsed = answer.box is None and not (text is not None and not answer.found and states_absence(text))
        return StoredPrediction(row.id, text=text, box=answer.box, unparsed=unparsed)
    if row.prediction is None:
        return StoredPrediction(row.id, absent=True)
    try:
        mask = read_mask_file(file.path.parent, str(row.prediction)).mask
    except DataError as error:
        return StoredPrediction(row.id, status="error", reason="; ".join(str(error).splitlines()))
    return StoredPrediction(row.id, mask=shards.add(index, mask))


def rows_as_samples(file: AnswerFile, kind: AnswerKind, convention: BoxConvention) -> Iterator[Sample]:
    """The samples of a file whose rows carry their own references; of a repeated id, the first row."""
    seen: set[str] = set()
    for row in file:
        if row.id not in seen:
            seen.add(row.id)
            yield sample_of(row, kind, file, DEFAULT_GRID, convention)


def journal_answers(
    file: AnswerFile,
    kind: AnswerKind,
    known: Mapping[str, Grid] | None,
    folder: Path,
    convention: BoxConvention,
    advance: Callable[[int], None],
) -> Counts:
    """Write the file's answers as the folder's journal and mask shards, replacing earlier ones.

    known: id -> grid (D, H, W) of the test set's samples when the data gives the references, else None.
    Raises UserError when no row answers any sample.
    """
    counts = Counts()
    seen: set[str] = set()
    shards = MaskShards(folder / "masks")
    path = folder / "predictions.jsonl"
    path.unlink(missing_ok=True)
    with Journal(path) as journal:
        for row in file:
            advance(1)
            if row.id in seen:
                counts.note("duplicate", row.id)
                continue
            if known is not None and row.id not in known:
                counts.note("unknown", row.id)
                continue
            grid = known[row.id] if known is not None else DEFAULT_GRID
            journal.append(prediction_of(row, kind, file, grid, convention, len(seen), shards).to_json())
            seen.add(row.id)
    shards.finish()
    if not seen:
        raise UserError(
            "the file holds no answer to any sample",
            file=file.path,
            fix="check the ids",
            code=ExitCode.NOTHING_TO_SCORE,
        )
    for sample_id in known or ():
        if sample_id not in seen:
            counts.note("missing", sample_id)
    return counts
