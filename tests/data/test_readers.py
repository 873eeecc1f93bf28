"""Readers on the phantom, and on data sets broken one field at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from m3dbench.data.records import MaskRecord, QuestionRecord, Record, ReportRecord
from m3dbench.errors import UserError
from m3dbench.runs.engine import open_data


def read(root: Path, kind: type[Record], split: str = "test") -> list[Record]:
    return list(open_data(root).records(kind, split))


@pytest.fixture
def copy(phantom: Path, tmp_path: Path) -> Path:
    """The phantom's tables without its volumes."""
    target = tmp_path / "data"
    shutil.copytree(phantom, target, ignore=shutil.ignore_patterns("*.npy"))
    return target


@pytest.mark.parametrize("kind", [ReportRecord, QuestionRecord, MaskRecord])
def test_ids_are_unique_and_cases_group_them(phantom: Path, kind: type[Record]) -> None:
    records = read(phantom, kind)
    ids = [record.id for record in records]
    assert len(set(ids)) == len(ids)
    assert 1 < len({record.case for record in records}) < len(ids)
    assert all((phantom / record.volume.path).is_file() and record.volume.digest for record in records)


def test_text_tables_are_read_without_any_volume(copy: Path) -> None:
    assert read(copy, ReportRecord)
    assert read(copy, QuestionRecord)


def test_na_is_not_offered_and_none_stays_a_string(phantom: Path) -> None:
    questions = [
        record
        for record in read(phantom, QuestionRecord) + read(phantom, QuestionRecord, "train")
        if isinstance(record, QuestionRecord)
    ]
    assert {len(question.choices) for question in questions} >= {2, 4}
    assert all("NA" not in question.choices.values() for question in questions)
    assert any(question.answer == "None" for question in questions)
    assert all(question.choices[question.letter] == question.answer for question in questions)
    assert {question.strata["question_type"] for question in questions} == {
        "plane",
        "phase",
        "organ",
        "abnormality",
        "location",
    }


def test_test_sets_have_the_names_that_users_know(phantom: Path) -> None:
    assert len(read(phantom, ReportRecord, "test1k")) == len(read(phantom, ReportRecord, "test"))
    assert 0 < len(read(phantom, QuestionRecord, "test5k")) <= len(read(phantom, QuestionRecord, "test"))
    assert read(phantom, ReportRecord, "validation")
    with pytest.raises(UserError, match="test1k"):
        read(phantom, ReportRecord, "test7k")


def test_codes_are_sub_datasets(phantom: Path) -> None:
    source = open_data(phantom)
    assert {"0003", "0011", "0012"} <= set(source.parts(MaskRecord))
    only = list(source.records(MaskRecord, "test", ["0012"]))
    assert {record.strata["dataset"] for record in only} == {"0012"}
    assert {record.strata["class"] for record in only} >= {"liver", "brain"}


def edit_json(path: Path, change: Callable[[dict], None]) -> None:  # type: ignore[type-arg]
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


CAP, VQA, SEG = "M3D_Cap_npy/M3D_Cap.json", "M3D-VQA/M3D_VQA_test.csv", "M3D_Seg_npy/0003/0003.json"


@pytest.mark.parametrize(
    ("kind", "file", "change", "told"),
    [
        (ReportRecord, CAP, lambda path: path.write_text(path.read_text()[:-1] + ",}"), "line"),
        (ReportRecord, CAP, lambda path: edit_json(path, lambda c: c["test"][1].pop("text")), "test[1]"),
        (
            ReportRecord,
            CAP,
            lambda path: edit_json(path, lambda c: c["test"][0].update(text="../../outside.txt")),
            "leaves the data root",
        ),
        (
            ReportRecord,
            CAP,
            lambda path: edit_json(path, lambda c: c["test"][0].update(text="M3D_Cap_npy/nowhere/text.txt")),
            "missing",
        ),
        (ReportRecord, CAP, lambda path: path.write_bytes(b"\xff\xfe{}"), "UTF-8"),
        (
            QuestionRecord,
            VQA,
            lambda path: path.write_text(path.read_text().replace("Answer Choice", "Letter", 1)),
            "Answer Choice",
        ),
        (QuestionRecord, VQA, lambda path: path.write_text(path.read_text() + 'a,"broken'), "not a valid CSV"),
        (
            QuestionRecord,
            VQA,
            lambda path: path.write_text(path.read_text() + "only,three,fields\n"),
            "too many or too few",
        ),
        (QuestionRecord, VQA, lambda path: path.write_bytes(path.read_bytes() + "é".encode("latin-1")), "UTF-8"),
        (MaskRecord, SEG, lambda path: edit_json(path, lambda c: c["test"][2].pop("label")), "test[2]"),
        (
            MaskRecord,
            SEG,
            lambda path: edit_json(path, lambda c: c["test"][0].update(label="0003/x/mask_(4, 2, 2, 2).npz")),
            "data prepare seg",
        ),
        (
            MaskRecord,
            SEG,
            lambda path: edit_json(path, lambda c: c["test"][0].update(label="0003/x/masks/mask_99.npy")),
            "class index 99",
        ),
    ],
)
def test_a_broken_table_is_an_error_that_names_the_place(
    copy: Path, kind: type[Record], file: str, change: Callable[[Path], None], told: str
) -> None:
    change(copy / file)
    with pytest.raises(UserError) as caught:
        read(copy, kind)
    assert told in str(caught.value)
    assert Path(file).name in str(caught.value) or "outside.txt" in str(caught.value) or "text.txt" in str(caught.value)


def test_a_symlink_out_of_the_root_is_refused(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("study_findings: secret")
    text = json.loads((copy / CAP).read_text())["test"][0]["text"]
    (copy / text).unlink()
    (copy / text).symlink_to(tmp_path / "secret.txt")
    with pytest.raises(UserError, match="leaves the data root"):
        read(copy, ReportRecord)


def test_both_spellings_of_the_train_key(copy: Path) -> None:
    before = [record.id for record in read(copy, MaskRecord, "train")]
    for code in ("0003", "0011", "0012"):
        edit_json(
            copy / f"M3D_Seg_npy/{code}/{code}.json", lambda content: content.update(training=content.pop("train"))
        )
    assert [record.id for record in read(copy, MaskRecord, "train")] == before


def test_a_directory_without_data_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="M3D-Cap"):
        open_data(tmp_path)
