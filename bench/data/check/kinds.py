"""What a data directory can have wrong: every kind of finding with its severity, its name and its remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from m3dbench.errors import DataError

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Kind:
    """severity: ``error`` makes samples fail or be judged against a wrong reference; ``warning`` makes numbers
    doubtful; ``note`` is worth knowing."""

    severity: Severity
    title: str
    fix: str


_COPY = "copy the file again"
_LIST = "mend the list that names it"
KINDS: Mapping[str, Kind] = {
    "missing_file": Kind("error", "files are missing", "copy them, or take them out of the list that names them"),
    "empty_file": Kind("error", "files without a byte", _COPY),
    "no_file": Kind("error", "directories or devices where a file belongs", "put the file in its place"),
    "symlink_loop": Kind("error", "loops of symbolic links", "replace the links by the files"),
    "outside_root": Kind("error", "paths that leave the data root", "keep every file under the data root"),
    "truncated": Kind("error", "arrays cut short", _COPY),
    "pickle": Kind("error", "arrays that hold a pickle", "write them as plain numbers with numpy.save"),
    "too_large": Kind("error", "arrays that declare too many bytes", "prepare the volumes first"),
    "unreadable": Kind("error", "files that cannot be read", _COPY),
    "encoding": Kind("error", "texts that are not UTF-8", "save them as UTF-8: iconv -f CP1252 -t UTF-8"),
    "changed": Kind("error", "files changed since the data set was made", "make or copy the data set again"),
    "wrong_shape": Kind("error", "arrays of a wrong shape", "volumes and masks are (1, D, H, W)"),
    "wrong_dtype": Kind("error", "arrays that hold no numbers", "write volumes as float32 and masks as bool"),
    "not_finite": Kind("error", "volumes with NaN or infinite values", "prepare the volumes again"),
    "constant": Kind("error", "volumes with one value everywhere", "prepare the volumes again"),
    "mask_mismatch": Kind("error", "masks of another grid than their volume", "prepare volume and masks together"),
    "not_binary": Kind("error", "masks that are not binary", "write one class a file, 0 and 1"),
    "object_absent": Kind("error", "Mask_ID without a voxel in its mask", "mend the mask or the table"),
    "geometry": Kind("error", "geometry.json that cannot be used", "convert the case again"),
    "malformed_list": Kind("error", "split files that cannot be used", "mend the file at the place named"),
    "malformed_record": Kind("error", "records that cannot be used", _LIST),
    "duplicate_id": Kind("error", "records listed twice in a split", "take one of them out"),
    "unknown_class": Kind("error", "classes without a name", "name them in dataset_info.json"),
    "empty_text": Kind("error", "reports, questions or answers without text", "write the text, or take the record out"),
    "letter_mismatch": Kind("error", "answer letter and answer text that disagree", "mend the letter or the answer"),
    "answer_repeated": Kind("error", "right answer offered under two letters", "offer each choice once"),
    "range": Kind("warning", "volumes with values outside 0..1", "prepared volumes are min-max scaled: prepare again"),
    "garbled_text": Kind("warning", "garbled texts", "read the source again in its own encoding"),
    "choice_repeated": Kind("warning", "wrong choice offered twice", "offer each choice once"),
    "question_leaks": Kind("warning", "questions that contain their answer", "word the question without the answer"),
    "definition_leaks": Kind("warning", "definitions that contain their class's name", "word them without the name"),
    "question_repeated": Kind("warning", "same question asked twice of a volume", "keep one of them"),
    "no_mark": Kind("warning", "answers without [SEG]", "mark where the mask belongs"),
    "size": Kind("warning", "splits of another size than published", "fetch the file again, or say what was left out"),
    "absent_class": Kind("note", "classes that are absent from their volume", "nothing: presence is scored apart"),
    "unlisted": Kind("note", "files that no list names", "nothing, if they are meant to be left out"),
}


_SAYS_ALL = ("missing_file", "empty_file", "no_file", "symlink_loop", "outside_root", "pickle")
"""Kinds whose errors say no more than their title."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. kind: a key of ``KINDS``; file: relative to the data root; record: place within it."""

    kind: str
    file: str
    detail: str = ""
    record: str = ""
    field: str = ""


def of_error(error: DataError, file: str, record: str = "") -> Finding:
    """What a reader's error says, as a finding on the file that it was reading."""
    kind = error.kind if error.kind in KINDS else "unreadable"
    detail = "" if kind in _SAYS_ALL else error.message
    return Finding(kind, file, detail, error.record or record, error.field or "")
