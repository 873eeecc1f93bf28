"""Conversion of TotalSegmentator-like folders: layout, resumption, and every way the input can be wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from m3dbench.data.convert.converting import ConversionReport
from m3dbench.data.convert.converting import convert as convert_table
from m3dbench.data.convert.table import load_table
from m3dbench.data.geometry import read_geometry, to_native
from m3dbench.errors import UserError

nibabel = pytest.importorskip("nibabel", reason="needs m3dbench[data]")

GRID = (8, 12, 10)
SHAPE = (20, 24, 16)
NAMES = {1: "liver", 2: "kidney_left", 3: "rib_left_1", 4: "aorta"}
AFFINE = np.array([[-2.0, 0, 0, 20], [0, -2.0, 0, 30], [0, 0, 3.0, -10], [0, 0, 0, 1]])
Array = npt.NDArray[Any]


def save(path: Path, data: Array, affine: npt.NDArray[np.float64] = AFFINE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(data, affine).to_filename(path)


def arrays() -> tuple[Array, Array]:
    scan = np.full(SHAPE, -1000, dtype=np.int16)
    scan[2:18, 3:21, :] = 40
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[4:10, 8:18, 6:14] = 1
    labels[12:15, 6:10, 3:9] = 2
    labels[16, 12, :] = 3
    scan[labels == 3] = 600
    return scan, labels


def case_of_files(folder: Path) -> None:
    scan, labels = arrays()
    save(folder / "ct.nii.gz", scan)
    for value, name in NAMES.items():
        save(folder / "segmentations" / f"{name}.nii.gz", (labels == value).astype(np.uint8))


def case_of_labels(folder: Path) -> None:
    scan, labels = arrays()
    save(folder / "ct.nii.gz", scan)
    save(folder / "labels.nii.gz", labels)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    case_of_files(folder / "s0001")
    case_of_labels(folder / "s0002")
    (folder / "labels.json").write_text(json.dumps({str(key): name for key, name in NAMES.items()}))
    (folder / "notes").mkdir()
    return folder


def convert(source: Path, target: Path, **options: Any) -> ConversionReport:
    return convert_table(load_table("totalsegmentator"), source, target, **{"code": "0011", "grid": GRID, **options})


def snapshot(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_both_forms_give_the_same_prepared_layout(source: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int, str]] = []
    target = tmp_path / "out"

    report = convert(source, target, progress=lambda *step: steps.append(step))

    root = target / "M3D_Seg_npy"
    assert report.converted == ("s0001", "s0002")
    assert steps == [(1, 2, "s0001"), (2, 2, "s0002")]
    assert json.loads((root / "dataset_info.json").read_text()) == {
        "0011": ["liver", "kidney left", "rib left 1", "aorta"]
    }
    for case in ("s0001", "s0002"):
        image = np.load(root / "0011" / case / "image.npy")
        masks = [np.load(root / "0011" / case / "masks" / f"mask_{index}.npy") for index in range(4)]
        assert (image.shape, image.dtype) == ((1, *GRID), np.float32)
        assert 0 <= image.min() < image.max() <= 1
        assert [mask.shape for mask in masks] == [(1, *GRID)] * 3 + [(1, 1, 1, 1)]
        assert all(mask.dtype == np.bool_ for mask in masks)
        assert not masks[3].any()
    first, second = (
        {k: v for k, v in snapshot(root / "0011" / case).items() if "npy" in k} for case in ("s0001", "s0002")
    )
    assert first == second
    split = json.loads((root / "0011" / "0011.json").read_text())
    assert (split["train"], split["numTest"], len(split["test"])) == ([], 2, 8)
    assert split["test"][0] == {"image": "0011/s0001/image.npy", "label": "0011/s0001/masks/mask_0.npy"}
    marker = json.loads((target / "m3dbench-data.json").read_text())
    assert marker["kind"] == "converted"
    assert (marker["splits"], marker["conversions"]["0011"]["split"]) == (
        {"0011": "all cases are test cases"},
        "all-test",
    )
    written = snapshot(target)
    del written["m3dbench-data.json"]
    assert marker["digests"] == written


def test_masks_go_back_to_native_space_and_hu_are_recovered(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "out")
    folder = tmp_path / "out" / "M3D_Seg_npy" / "0011" / "s0002"
    geometry = read_geometry(folder / "geometry.json")
    _, labels = arrays()

    native, affine = to_native(np.load(folder / "masks" / "mask_0.npy")[0], geometry)

    assert np.allclose(affine, AFFINE)
    assert geometry.native_axes == "LPS"
    assert 2 * (native & (labels == 1)).sum() / (native.sum() + (labels == 1).sum()) > 0.9
    low, high = geometry.hu_window
    image = np.load(folder / "image.npy")[0]
    assert abs(float(np.median(image[image > 0.3])) * (high - low) + low - 40) < 0.01
    assert geometry.thin == (2,)
    assert np.load(folder / "masks" / "mask_2.npy").any(axis=(0, 2, 3)).all()
    assert (geometry.absent, geometry.unlabelled) == ((3,), ())


def test_converting_twice_keeps_everything_and_a_changed_source_is_redone(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    convert(source, target)
    before = snapshot(target)

    assert convert(source, target).kept == ("s0001", "s0002")
    assert snapshot(target) == before

    save(source / "s0002" / "labels.nii.gz", np.flip(arrays()[1], 0).copy())
    report = convert(source, target)
    assert (report.converted, report.kept) == (("s0002",), ("s0001",))
    assert snapshot(target) != before


def test_another_code_and_new_classes_are_added_not_replaced(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    root = target / "M3D_Seg_npy"
    root.mkdir(parents=True)
    (root / "dataset_info.json").write_text(json.dumps({"0000": ["liver"], "0011": ["spleen", "aorta"]}))

    convert(source, target)

    names = ["spleen", "aorta", "liver", "kidney left", "rib left 1"]
    assert json.loads((root / "dataset_info.json").read_text()) == {"0000": ["liver"], "0011": names}
    # No file says anything of the spleen, so no item asks for it.
    assert not (root / "0011" / "s0001" / "masks" / "mask_0.npy").exists()
    assert len(json.loads((root / "0011" / "0011.json").read_text())["test"]) == 8


def test_without_a_table_the_file_names_are_the_classes(source: Path, tmp_path: Path) -> None:
    (source / "labels.json").unlink()
    (source / "s0002" / "labels.nii.gz").unlink()
    (source / "s0002" / "ct.nii.gz").unlink()
    assert convert(source, tmp_path / "out").classes == ("aorta", "kidney left", "liver", "rib left 1")


def test_a_seeded_split_goes_by_case(source: Path, tmp_path: Path) -> None:
    for number in range(3, 9):
        case_of_labels(source / f"s{number:04d}")
    report = convert(source, tmp_path / "out", train_fraction=0.5, seed=3)

    split = json.loads((tmp_path / "out/M3D_Seg_npy/0011/0011.json").read_text())
    train, test = ({item["image"] for item in split[name]} for name in ("train", "test"))
    assert (len(train), len(test), len(report.split.train)) == (4, 4, 4)
    assert not train & test
    marker = json.loads((tmp_path / "out/m3dbench-data.json").read_text())["conversions"]["0011"]
    assert (marker["split"], marker["seed"], marker["train_fraction"]) == ("seed", 3, 0.5)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_case(folder: Path, how: str) -> None:
    scan, labels = arrays()
    match how:
        case "no scan":
            (folder / "ct.nii.gz").unlink()
        case "truncated scan":
            truncate(folder / "ct.nii.gz")
        case "truncated labels":
            truncate(folder / "labels.nii.gz")
        case "no gzip":
            (folder / "ct.nii.gz").write_bytes(b"hello")
        case "empty":
            (folder / "ct.nii.gz").write_bytes(b"")
        case "garbage":
            (folder / "ct.nii.gz").write_bytes(gzip.compress(b"x" * 4000))
        case "shape":
            save(folder / "labels.nii.gz", labels[:-1])
        case "affine":
            save(folder / "labels.nii.gz", labels, AFFINE @ np.diag([-1.0, 1, 1, 1]))
        case "4-D":
            save(folder / "ct.nii.gz", np.stack([scan, scan], axis=-1))
        case "unknown label":
            labels[0, 0, 0] = 77
            save(folder / "labels.nii.gz", labels)
        case "fractions":
            save(folder / "labels.nii.gz", labels.astype(np.float32) + 0.5)
        case "not finite":
            save(folder / "ct.nii.gz", np.where(labels == 1, np.nan, scan).astype(np.float32))
        case "not CT":
            save(folder / "ct.nii.gz", np.clip(scan, 0, 1).astype(np.int16))
        case "no labels":
            (folder / "labels.nii.gz").unlink()
        case "singular" | "unplaced":
            image = nibabel.Nifti1Image(scan, AFFINE)
            image.header.set_sform(np.diag([0.0, 2, 3, 1]), code=1 if how == "singular" else 0)
            image.header.set_qform(None, code=0)
            raw = nibabel.Nifti1Image(scan, None, image.header)
            raw.to_filename(folder / "ct.nii.gz")


DAMAGES = {
    "no scan": "ct.nii.gz",
    "truncated scan": "ct.nii.gz",
    "truncated labels": "labels.nii.gz",
    "no gzip": "ct.nii.gz",
    "empty": "ct.nii.gz",
    "garbage": "ct.nii.gz",
    "shape": "labels.nii.gz",
    "affine": "labels.nii.gz",
    "4-D": "ct.nii.gz",
    "unknown label": "labels.nii.gz",
    "fractions": "labels.nii.gz",
    "not finite": "ct.nii.gz",
    "not CT": "ct.nii.gz",
    "no labels": "ct.nii.gz",
    "singular": "ct.nii.gz",
    "unplaced": "ct.nii.gz",
}


@pytest.mark.parametrize(("how", "file"), DAMAGES.items())
def test_a_bad_case_is_named_and_the_others_are_finished(source: Path, tmp_path: Path, how: str, file: str) -> None:
    damage_case(source / "s0002", how)
    case_of_labels(source / "s0003")
    target = tmp_path / "out"

    with pytest.raises(UserError) as caught:
        convert(source, target)

    assert caught.value.file is not None
    assert caught.value.file.endswith(file)
    assert caught.value.fix
    assert caught.value.record == "s0002"
    split = json.loads((target / "M3D_Seg_npy/0011/0011.json").read_text())
    assert {item["image"] for item in split["test"]} == {"0011/s0001/image.npy", "0011/s0003/image.npy"}
    assert sorted(path.name for path in (target / "M3D_Seg_npy/0011").iterdir()) == ["0011.json", "s0001", "s0003"]
    report = convert(source, target, keep_going=True)
    assert (report.kept, set(report.failed)) == (("s0001", "s0003"), {"s0002"})


def test_wrong_calls_are_told(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    (tmp_path / "nothing").mkdir()
    wrong: list[tuple[Path, dict[str, Any], str]] = [
        (tmp_path / "nothing", {}, "no case was found"),
        (tmp_path / "missing", {}, "not a folder"),
        (source, {"code": "../up"}, "data-set code"),
        (source, {"grid": (0, 4, 4)}, "grid"),
        (source, {"train_fraction": 1.5}, "train_fraction"),
        (source, {"labels": tmp_path / "none.json"}, "label table is missing"),
    ]
    for where, options, text in wrong:
        with pytest.raises(UserError, match=text):
            convert(where, target, **options)
    assert not target.exists()


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"one": "liver"}, "expected entries"),
        ({"1": "liver", "2": "liver"}, "twice"),
        ({"1": "liver"}, "not in the label table"),
        ({}, "needs a table"),
    ],
)
def test_a_bad_table_is_told(source: Path, tmp_path: Path, table: dict[str, str], text: str) -> None:
    (source / "labels.json").write_text(json.dumps(table))
    with pytest.raises(UserError, match=text):
        convert(source, tmp_path / "out")


def test_another_grid_in_the_same_folder_is_refused(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "out")
    with pytest.raises(UserError, match="grid"):
        convert(source, tmp_path / "out", grid=(4, 4, 4))
