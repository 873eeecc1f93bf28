"""Own data from a table: what our readers then find, and that every wrong row is told before anything is written."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m3dbench.data.convert.place import HU_WINDOW
from m3dbench.data.dataset import DataRoot
from m3dbench.data.files import DataFiles
from m3dbench.data.own.importing import Imported, import_table
from m3dbench.data.readers.boxes import Boxes
from m3dbench.data.readers.m3d_cap import M3DCap
from m3dbench.data.readers.m3d_seg import M3DSeg
from m3dbench.data.readers.m3d_vqa import M3DVQA
from m3dbench.data.records import BoxRecord, MaskRecord, QuestionRecord, ReportRecord
from m3dbench.errors import UserError
from m3dbench.metrics.boxes import mask_to_box
from m3dbench.tasks.rec import Rec
from m3dbench.tasks.seg_semantic import SegSemantic

nibabel = pytest.importorskip("nibabel", reason="needs m3dbench[data]")

GRID = (4, 8, 8)
AFFINE = np.diag([-2.0, -2.0, 4.0, 1.0])
Cells = dict[str, str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Volumes and masks: one NIfTI (X, Y, Z) = (16, 16, 8) with labels, one npy (D, H, W) = (8, 16, 16)."""
    scan = np.full((16, 16, 8), 40, dtype=np.int16)
    scan[0] = -900
    labels = np.zeros(scan.shape, dtype=np.uint8)
    labels[2:8, 2:8, 2:6] = 3
    for name, data in (("ct.nii.gz", scan), ("seg.nii.gz", labels)):
        nibabel.Nifti1Image(data, AFFINE).to_filename(tmp_path / name)
    volume = np.full((8, 16, 16), -200, dtype=np.float32)
    volume[2:6, 4:12, 4:12] = 300
    np.save(tmp_path / "own.npy", volume)
    np.save(tmp_path / "own-mask.npy", volume > 0)
    return tmp_path


def table(folder: Path, *rows: Cells) -> Path:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with (folder / "table.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return folder / "table.csv"


def run(folder: Path, *rows: Cells, **options: Any) -> Imported:
    return import_table(table(folder, *rows), folder / "out", **{"grid": GRID, **options})


def box(*bounds: int) -> Cells:
    return {name: str(value) for name, value in zip(("d1", "h1", "w1", "d2", "h2", "w2"), bounds, strict=True)}


CT: Cells = {"case": "p1", "volume": "ct.nii.gz"}
NPY: Cells = {"case": "p2", "volume": "own.npy", "series": "Axial_a", "split": "train"}
QUESTION: Cells = {
    "Question Type": "organ",
    "question": "Which?",
    "Choice A": "Liver",
    "Choice B": "Spleen",
    "answer": "Spleen",
}


def test_the_readers_find_everything_that_the_table_says(folder: Path) -> None:
    done = run(
        folder,
        {**CT, "report": "Line one,\nline two.", **QUESTION},
        {**CT, "mask": "seg.nii.gz", "label": "3", "class": "left_kidney"},
        {**CT, "mask": "seg.nii.gz", "label": "7", "class": "spleen"},
        {**NPY, "report": "Other."},
        {**NPY, "mask": "own-mask.npy", "class": "left_kidney", "note": "unused"},
        {**NPY, "class": "lesion", **box(2, 4, 4, 6, 12, 12)},
    )
    assert (done.cases, done.volumes, done.reports, done.questions, done.masks, done.boxes) == (2, 2, 2, 1, 3, 1)
    assert done.unused == ("note",)
    root = DataRoot.open(folder / "out")
    files = DataFiles(root.path)

    (report,) = M3DCap().records(root, ReportRecord, "test")
    assert (report.id, report.case, report.text) == ("own/p1/ct", "own/p1", "Line one,\nline two.")
    (trained,) = M3DCap().records(root, ReportRecord, "train")
    assert trained.strata["plane"] == "axial"
    (question,) = M3DVQA().records(root, QuestionRecord, "test")
    assert (question.letter, dict(question.choices)) == ("B", {"A": "Liver", "B": "Spleen"})
    assert (question.case, question.strata["question_type"]) == ("own/p1", "organ")
    assert question.volume == report.volume

    kidney, spleen = M3DSeg().records(root, MaskRecord, "test")
    assert (kidney.id, kidney.name, spleen.name) == ("own/p1/0", "left kidney", "spleen")
    assert files.volume(kidney.volume).shape == (1, *GRID)
    # Stored x and y run to the left and back: the mask lies at the patient's right, front and below the top.
    assert mask_to_box(files.mask(kidney.mask)) == (0.25, 0.5, pytest.approx(0.5), 0.75, 0.875, pytest.approx(0.875))
    assert not files.mask(spleen.mask).any()
    assert files.spacing(kidney.volume) == pytest.approx((8.0, 4.0, 4.0), rel=0.1)
    (other,) = M3DSeg().records(root, MaskRecord, "train")
    (boxed,) = Boxes().records(root, BoxRecord, "train")
    assert (boxed.case, boxed.name, boxed.case) == (other.case, "lesion", "own/p2")
    assert np.array_equal(files.mask(boxed.mask), files.mask(other.mask))
    assert not list(Boxes().records(root, BoxRecord, "train", only=["own"]))

    marker = json.loads((folder / "out" / "m3dbench-data.json").read_text())
    assert marker["kind"] == "imported"
    assert set(marker["splits"]) == {"M3D-Cap", "M3D-VQA", "own", "boxes"}
    assert all(told.startswith("own data (table.csv, ") for told in marker["splits"].values())
    assert kidney.volume.digest == marker["digests"][kidney.volume.path] != ""


def test_boxes_locate_but_segment_nothing(folder: Path) -> None:
    assert BoxRecord in Rec.records
    assert BoxRecord not in SegSemantic.records
    run(
        folder,
        {**NPY, "class": "a", **box(0, 0, 0, 2, 2, 2)},
        {**NPY, "class": "a", **box(6, 8, 8, 8, 16, 16)},
        hu=False,
    )
    root = DataRoot.open(folder / "out")
    assert not M3DSeg().detect(root)
    ((record,),) = (list(Boxes().records(root, BoxRecord, "train")),)
    mask = DataFiles(root.path).mask(record.mask)
    assert mask.any()
    assert mask.size == np.prod(GRID)


def test_other_than_ct_is_scaled_by_its_own_range(folder: Path) -> None:
    np.save(folder / "small.npy", np.linspace(0, 1, 512, dtype=np.float32).reshape(8, 8, 8))
    row = {"case": "p1", "volume": "small.npy", "report": "x"}
    with pytest.raises(UserError, match="not CT in HU"):
        run(folder, row)
    run(folder, row, hu=False)
    stored = np.load(folder / "out/M3D_Cap_npy/own/p1/small.npy")
    assert (stored.shape, stored.min() >= 0, stored.max() > 0.9) == ((1, *GRID), True, True)
    assert HU_WINDOW == (-1024.0, 1500.0)


def test_two_volumes_of_a_case_keep_apart(folder: Path) -> None:
    first = {**CT, "mask": "seg.nii.gz", "class": "liver"}
    run(folder, {**first, "series": "early"}, {**first, "series": "late"})
    records = list(M3DSeg().records(DataRoot.open(folder / "out"), MaskRecord, "test"))
    assert [record.id for record in records] == ["own/p1--early/0", "own/p1--late/0"]


WRONG: list[tuple[Cells, str, str]] = [
    ({**CT, "case": "a/b"}, "case", "no name"),
    ({**CT, "volume": "none.nii.gz"}, "volume", "does not exist"),
    ({**CT, "split": "dev"}, "split", "no split"),
    (CT, "report", "asks nothing"),
    ({**CT, "answer": "Liver"}, "answer", "without question"),
    ({**CT, "label": "3"}, "label", "without class"),
    ({**CT, **QUESTION, "Choice B": ""}, "choice_b", "two choices"),
    ({**CT, **QUESTION, "answer": ""}, "answer", "is empty"),
    ({**CT, **QUESTION, "answer": "Colon"}, "answer", "none of the choices"),
    ({**CT, **QUESTION, "answer_choice": "D"}, "answer_choice", "not offered"),
    ({**CT, **QUESTION, "answer_choice": "A"}, "answer_choice", "not the answer"),
    ({**CT, **QUESTION, "Question Type": "colour"}, "question_type", "no type"),
    ({**CT, "class": "liver"}, "mask", "neither"),
    ({**CT, "class": "liver", "mask": "seg.nii.gz", **box(0, 0, 0, 1, 1, 1)}, "mask", "both"),
    ({**CT, "class": "liver", "mask": "none.npy"}, "mask", "does not exist"),
    ({**CT, "class": "liver", "mask": "seg.nii.gz", "label": "0"}, "label", "no label"),
    ({**CT, "class": "liver", "d1": "0.5"}, "d1", "no voxel index"),
    ({**CT, "class": "liver", **box(3, 0, 0, 3, 1, 1)}, "d2", "no volume"),
    ({**CT, "class": "liver", **box(0, 0, 0, 9, 1, 1)}, "d2", "ends outside"),
    ({**CT, "class": "liver", "mask": "own-mask.npy"}, "mask", "volume"),
    ({**CT, "class": "liver", "mask": "table.csv"}, "mask", "NIfTI"),
    ({**CT, "volume": "table.csv", "report": "x"}, "volume", "NIfTI"),
]


@pytest.mark.parametrize(("row", "column", "told"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_a_wrong_row_is_told_and_nothing_is_left(folder: Path, row: Cells, column: str, told: str) -> None:
    with pytest.raises(UserError, match="nothing was written") as caught:
        run(folder, {**NPY, "report": "fine"}, row)
    assert f"line 3, {column}: " in str(caught.value)
    assert told in str(caught.value)
    assert sorted(path.name for path in folder.iterdir()) == [
        "ct.nii.gz",
        "own-mask.npy",
        "own.npy",
        "seg.nii.gz",
        "table.csv",
    ]


def test_rows_that_contradict_each_other_are_told_together(folder: Path) -> None:
    with pytest.raises(UserError, match="3 rows are wrong") as caught:
        run(
            folder,
            {**CT, "report": "one", "mask": "seg.nii.gz", "class": "liver"},
            {**CT, "report": "two"},
            {**CT, "split": "train", "report": "one"},
            {**CT, "mask": "seg.nii.gz", "class": "liver"},
        )
    lines = [line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:4]]
    assert lines == ["line 3, report", "line 4, split", "line 5, class"]


def test_many_wrong_rows_are_counted_and_some_shown(folder: Path) -> None:
    with pytest.raises(UserError, match="50 rows are wrong") as caught:
        run(folder, *({**CT, "case": "", "report": "x"} for _ in range(50)))
    assert str(caught.value).count("line ") == 20
    assert "and 30 more" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"case,report\np1,x\n", "case and volume"),
        (b"case,volume,report\np1,ct.nii.gz\n", "too many or too few"),
        (b"case,volume,report\n", "no rows"),
        (b"case,Case,volume\n", "twice"),
        ("case,volume,report\np1,ct.nii.gz,Größe\n".encode("latin-1"), "UTF-8"),
        (b'case,volume,report\np1,ct.nii.gz,"open\n', "valid CSV"),
    ],
)
def test_a_broken_table_is_told(folder: Path, content: bytes, told: str) -> None:
    (folder / "table.csv").write_bytes(content)
    with pytest.raises(UserError, match=told):
        import_table(folder / "table.csv", folder / "out")
    (folder / "out").mkdir()
    (folder / "out" / "mine").touch()
    with pytest.raises(UserError, match="not empty"):
        import_table(folder / "table.csv", folder / "out")
