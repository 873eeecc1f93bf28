"""M3D-RefSeg as it lies on disk: what the reader gives, and what it says of broken tables."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from m3dbench.data.dataset import DataRoot
from m3dbench.data.files import DataFiles
from m3dbench.data.readers.m3d_refseg import COLUMNS, M3DRefSeg
from m3dbench.data.records import ReferringRecord
from m3dbench.errors import DataError
from m3dbench.metrics.boxes import mask_to_box
from m3dbench.task import Asking
from m3dbench.tasks.expressions import UNSEEN
from m3dbench.tasks.rec import Rec
from m3dbench.tasks.reg import Reg
from m3dbench.tasks.seg_referring import SegReferring

Row = dict[str, str]
GRID = (4, 6, 10)


def row(**changes: str) -> Row:
    """A sound row; ``changes`` by column."""
    sound = {
        "Image": "M3D_RefSeg_npy/s1/ct.npy",
        "Mask": "M3D_RefSeg_npy/s1/mask.npy",
        "Mask_ID": "2",
        "Question_Type": "0",
        "Question": "Where is the cyst?",
        "Answer": "It is <SEG>.",
    }
    return {**sound, **changes}


def write(root: Path, rows: list[Row], *, table: str = "M3D_RefSeg/M3D_RefSeg_test.csv", drop: str = "") -> DataRoot:
    """A data root with one case, whose mask holds object 1 at (0, 0, 0) and object 2 at (1, 2:4, 5:9)."""
    case = root / "M3D_RefSeg_npy" / "s1"
    case.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((1, *GRID), dtype=np.float32)
    mask[0, 0, 0, 0] = 1
    mask[0, 1, 2:4, 5:9] = 2
    np.save(case / "mask.npy", mask)
    np.save(case / "ct.npy", mask / 2)
    path = root / table
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [name for name in COLUMNS if name != drop], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return DataRoot.open(root)


def read(root: DataRoot, split: str = "test") -> list[ReferringRecord]:
    return list(M3DRefSeg().records(root, ReferringRecord, split))


def test_every_row_of_the_phantom_becomes_a_record_whose_mask_holds_its_object(phantom: Path) -> None:
    root = DataRoot.open(phantom)
    reader = M3DRefSeg()
    assert reader.detect(root)
    assert set(reader.splits(root, ReferringRecord)) == {"train", "test", "all"}
    records = read(root)
    with (phantom / "M3D_RefSeg" / "M3D_RefSeg_test.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(records) == len(rows) == len({record.id for record in records})
    files = DataFiles(phantom)
    for record, line in zip(records, rows, strict=True):
        assert record.kind == {"0": "description", "1": "reasoning"}[line["Question_Type"]]
        assert record.question == line["Question"]
        assert "[SEG]" in record.answer
        assert record.case == f"M3D-RefSeg/{Path(line['Image']).parent.name}"
        mask = files.mask(record.mask)
        np.testing.assert_array_equal(mask, np.load(phantom / line["Mask"])[0] == int(line["Mask_ID"]))
        assert mask.any()
        assert mask.shape == files.volume(record.volume).shape[1:]
        assert record.volume.digest


@pytest.mark.parametrize("folder", ["M3D_RefSeg", "M3D_RefSeg_npy"])
def test_the_target_is_one_value_of_the_mask_in_the_axes_as_stored(tmp_path: Path, folder: str) -> None:
    root = write(tmp_path, [row(), row(Mask_ID="1", Question_Type="1")], table=f"{folder}/M3D_RefSeg_test.csv")
    first, second = read(root)
    files = DataFiles(tmp_path)
    mask = files.mask(first.mask)
    assert mask.shape == GRID  # H and W differ, so a swap of the in-plane axes would show
    assert mask_to_box(mask) == pytest.approx((1 / 4, 2 / 6, 5 / 10, 2 / 4, 4 / 6, 9 / 10))
    assert (files.volume(first.volume)[0][mask] == 1).all()
    assert files.mask(second.mask).sum() == 1
    assert (first.kind, second.kind) == ("description", "reasoning")
    assert first.answer == "It is [SEG]."


def test_in_plane_axes_are_those_of_m3d_seg_swapped(phantom: Path) -> None:
    """Bone lies at the back of a trunk, off the centre of its depth; the sides balance."""
    files = DataFiles(phantom)
    record = read(DataRoot.open(phantom))[0]
    referred = files.volume(record.volume)[0]
    seg = next((phantom / "M3D_Seg_npy" / "0012").glob("*/image.npy"))
    upright = np.load(seg)[0]

    def bone_off_centre(volume: npt.NDArray[np.float32], axis: int) -> float:
        places = np.argwhere(volume >= np.quantile(volume, 0.99))
        return abs(float(places[:, axis].mean()) / volume.shape[axis] - 0.5)

    assert bone_off_centre(upright, 1) > bone_off_centre(upright, 2)
    assert bone_off_centre(referred, 2) > bone_off_centre(referred, 1)


def test_ids_count_the_questions_on_one_object(tmp_path: Path) -> None:
    records = read(write(tmp_path, [row(), row(Mask_ID="1"), row()]))
    assert [record.id for record in records] == ["M3D-RefSeg/s1/2#1", "M3D-RefSeg/s1/1#1", "M3D-RefSeg/s1/2#2"]


def test_another_sub_dataset_is_left_out(tmp_path: Path) -> None:
    root = write(tmp_path, [row()])
    assert not list(M3DRefSeg().records(root, ReferringRecord, "test", only=("0003",)))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"Mask_ID": "0"}, "Mask_ID"),
        ({"Mask_ID": "left"}, "Mask_ID"),
        ({"Mask_ID": "-1"}, "Mask_ID"),
        ({"Mask_ID": ""}, "Mask_ID"),
        ({"Question_Type": "2"}, "Question_Type"),
        ({"Question": " "}, "Question"),
        ({"Mask": ""}, "Mask"),
    ],
)
def test_a_broken_row_is_told_with_its_line_and_field(tmp_path: Path, changes: Row, field: str) -> None:
    root = write(tmp_path, [row(), row(**changes)])
    with pytest.raises(DataError) as caught:
        read(root)
    assert caught.value.field == field
    assert caught.value.record == "line 3"
    assert str(caught.value.file).endswith("M3D_RefSeg_test.csv")


def test_a_missing_column_is_told(tmp_path: Path) -> None:
    root = write(tmp_path, [row()], drop="Mask_ID")
    with pytest.raises(DataError, match="columns are missing") as caught:
        read(root)
    assert caught.value.field == "Mask_ID"


@pytest.mark.parametrize(("path", "told"), [("M3D_RefSeg_npy/s9/mask.npy", "missing"), ("../mask.npy", "leaves")])
@pytest.mark.parametrize("task", [SegReferring, Rec, Reg])
def test_a_mask_that_is_not_there_or_outside_is_an_error_and_no_sample(
    tmp_path: Path, path: str, told: str, task: Callable[[], SegReferring | Rec | Reg]
) -> None:
    root = write(tmp_path / "data", [row(Mask=path)])
    ask = Asking(0, DataFiles(root.path).mask)
    with pytest.raises(DataError, match=told) as caught:
        list(task().samples(read(root)[0], ask))
    assert caught.value.file == path


@pytest.mark.parametrize("task", [SegReferring, Rec, Reg])
def test_an_object_without_a_voxel_is_excluded_with_the_reason(
    tmp_path: Path, task: Callable[[], SegReferring | Rec | Reg]
) -> None:
    root = write(tmp_path, [row(), row(Mask_ID="7")])
    ask = Asking(0, DataFiles(tmp_path).mask)
    sound, lost = (next(iter(task().samples(record, ask))) for record in read(root))
    assert (sound.excluded, lost.excluded) == ("", UNSEEN)
    assert lost.request.wording
