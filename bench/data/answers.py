"""Files of answers: JSON lines of ours, plain CSV with ids, and the CSVs that the M3D-Bench scripts wrote."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from m3dbench.data.dataset import read_json
from m3dbench.data.readers.m3d_vqa import MISSING_CHOICE, QUESTION_TYPES
from m3dbench.data.tables import not_utf8, read_lines, read_rows
from m3dbench.errors import DataError, UserError
from m3dbench.metrics.box_convention import M3D, BoxConvention

REFERENCE_SCRIPT = "inclusive"
"""Box convention of the M3D-Bench scripts: fractions of the grid with an inclusive maximum."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "idx", "sample_id"),
    "prediction": ("prediction", "pred", "answer_pred", "generated"),
    "reference": ("reference", "ground truth", "answer", "gt", "target"),
    "letter": ("answer choice",),
    "question": ("question",),
    "question_type": ("question type", "question_type"),
    "dataset": ("dataset tag", "dataset"),
    "case": ("case", "case_id"),
}
_PATCHES = re.compile(r"(?:<im_patch>)+\s*")
_CHOICES = re.compile(
    r"\s*Choices:\s*A\.\s*(?P<A>.*?)\s*B\.\s*(?P<B>.*?)(?:\s*C\.\s*(?P<C>.*?))?(?:\s*D\.\s*(?P<D>.*?))?\s*$", re.S
)


class AnswerRow(BaseModel):
    """One answer of a file.

    prediction and reference: text, or six box numbers; for masks, the path of a NIfTI, npz or npy file relative to the
    answer file's folder; null prediction: no box or no mask. ``reference`` may be left out when --data gives it.
    case: unit of resampling. choices: letter -> text. names: accepted class names (REG). present: is the object there.
    box_convention: see ``m3dbench.metrics.boxes``; half-open fractions (d0, h0, w0, d1, h1, w1) unless said.
    spacing: mm per voxel (D, H, W) for npz and npy masks.
    """

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    id: str = Field(min_length=1)
    prediction: str | list[float] | None = None
    reference: str | list[float] | None = None
    letter: str = ""
    question: str = ""
    strata: dict[str, str] = Field(default_factory=dict)
    case: str = ""
    choices: dict[str, str] = Field(default_factory=dict)
    names: list[str] = Field(default_factory=list)
    present: bool | None = None
    box_convention: str = ""
    spacing: tuple[float, float, float] | None = None
    status: Literal["ok", "error", "refused"] = "ok"
    reason: str = ""

    @field_validator("choices", mode="before")
    @classmethod
    def _lettered(cls, value: Any) -> Any:
        """A plain list of choices is lettered A, B, C ..."""
        return dict(zip("ABCDEFGHIJ", value, strict=False)) if isinstance(value, list) else value


class AnswerFile:
    """A file of answers, read row by row. ``lacks`` says, for the user, what this kind of file does not hold."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise DataError(
                "the file of answers does not exist", file=path, fix="give the path of a .jsonl or .csv file"
            )
        self.path = path
        self.is_csv = path.suffix.lower() == ".csv"
        self.columns = _columns(path) if self.is_csv else {}
        self.lacks = self._lacks()

    def __iter__(self) -> Iterator[AnswerRow]:
        yield from self._csv() if self.is_csv else self._jsonl()

    def _lacks(self) -> list[str]:
        if not self.is_csv:
            return []
        lacking = []
        if "id" not in self.columns:
            lacking.append("sample ids: rows are numbered in file order")
        if "case" not in self.columns:
            lacking.append("case ids: every row counts as a case of its own, so intervals are too narrow")
        return lacking

    def _jsonl(self) -> Iterator[AnswerRow]:
        if self.path.suffix.lower() == ".json":
            rows = read_json(self.path)
            for number, row in enumerate(rows if isinstance(rows, list) else [rows], 1):
                yield self._validated(row, f"item {number}")
            return
        for record, row in read_lines(self.path):
            yield self._validated(row, record)

    def _csv(self) -> Iterator[AnswerRow]:
        for number, (place, row) in enumerate(read_rows(self.path, list(self.columns.values())), 1):
            values: dict[str, Any] = {field: row[column] for field, column in self.columns.items()}
            values.setdefault("id", f"row-{number:06d}")
            strata = {name: _plain(values.pop(name)) for name in ("question_type", "dataset") if values.get(name)}
            if "question_type" in strata:
                strata["question_type"] = QUESTION_TYPES.get(strata["question_type"], strata["question_type"])
            question, choices = _split_choices(_PATCHES.sub("", values.get("question", "")))
            if self.from_reference_script:
                values["box_convention"] = REFERENCE_SCRIPT
            yield self._validated({**values, "question": question, "choices": choices, "strata": strata}, place.record)

    @property
    def from_reference_script(self) -> bool:
        """Whether the columns are those of an M3D-Bench script: its boxes follow that convention."""
        return self.is_csv and self.columns.get("reference", "") in {"Answer", "Ground Truth"}

    def _validated(self, row: Any, record: str) -> AnswerRow:
        try:
            return AnswerRow.model_validate(row)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "(row)"
            raise DataError(
                f"the row is not an answer: {first['msg']}",
                file=self.path,
                record=record,
                field=field,
                fix="a row needs `id` and `prediction`, and `reference` where no --data is given",
            ) from error


def declared_convention(text: str) -> BoxConvention:
    """``inclusive`` (that of the M3D-Bench scripts) or axes,unit,upper,form such as ``dhw,fraction,exclusive,corners``.

    Raises UserError saying what is not understood.
    """
    if text == REFERENCE_SCRIPT:
        return M3D
    values: dict[str, Any] = dict(zip(("axes", "unit", "upper", "form"), text.split(","), strict=False))
    allowed = {
        "unit": ("fraction", "voxel", "per_1000"),
        "upper": ("inclusive", "exclusive"),
        "form": ("corners", "center_size"),
    }
    try:
        for name, options in allowed.items():
            if name in values and values[name] not in options:
                raise ValueError(f"{name} is one of {', '.join(options)}, not {values[name]!r}")
        return BoxConvention(**values)
    except ValueError as error:
        raise UserError(
            f"the box convention {text!r} is not understood: {error}",
            field="box_convention",
            fix="write 'inclusive', or axes,unit,upper,form such as dhw,fraction,exclusive,corners",
        ) from error


def _columns(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = next(csv.reader(stream), [])
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error
    except csv.Error as error:
        raise DataError(f"is not a valid CSV: {error}", file=path, record="line 1") from error
    lowered = {name.strip().lower(): name for name in reversed(header)}
    found = {
        field: next((lowered[name] for name in names if name in lowered), None) for field, names in COLUMNS.items()
    }
    columns = {field: column for field, column in found.items() if column is not None}
    if "prediction" not in columns:
        raise DataError(
            f"no column with predictions among: {', '.join(header) or '(none)'}",
            file=path,
            field="prediction",
            fix=f"name it one of: {', '.join(COLUMNS['prediction'])}",
        )
    return columns


def _plain(value: str) -> str:
    """The scripts sometimes write a one-item list (``['REC']``) where a word is meant."""
    return value.strip().strip("[]'\"").strip()


def _split_choices(question: str) -> tuple[str, dict[str, str]]:
    """The question and its choices, where a script appended them; ``nan`` and ``NA`` are choices not offered."""
    match = _CHOICES.search(question)
    if match is None:
        return question.strip(), {}
    choices = {letter: text.strip() for letter, text in match.groupdict().items() if text is not None}
    offered = {letter: text for letter, text in choices.items() if text not in {"nan", MISSING_CHOICE}}
    return question[: match.start()].strip(), offered
