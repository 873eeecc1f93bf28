"""DICOM folders: order, rescaling, and every way a series can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m3dbench.data.raw import Scan, read_scan
from m3dbench.errors import DataError, UserError

pydicom: Any = pytest.importorskip("pydicom", reason="needs m3dbench[data]")

ROWS, COLUMNS, SLICES = 6, 5, 8
UID = "1.2.826.0.1.3680043.8.498.1"


def pixels(index: int) -> np.ndarray[Any, np.dtype[np.uint16]]:
    return (np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) + 100 * index).astype(np.uint16)


def dataset(index: int) -> Any:
    """Slice ``index`` from the feet upwards, 2.5 mm apart; stored values 1024 above HU."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = f"{UID}.{index + 1}"
    made = pydicom.dataset.Dataset()
    made.file_meta = meta
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    made.Modality, made.SeriesInstanceUID, made.SeriesDescription, made.SeriesNumber = "CT", UID, "Body 2.5", 4
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.InstanceNumber = SLICES - index
    made.ImagePositionPatient = [-10.0, -20.0, 2.5 * index - 700]
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.PixelSpacing = [0.8, 0.7]
    made.Rows, made.Columns, made.SamplesPerPixel = ROWS, COLUMNS, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.PixelData = pixels(index).tobytes()
    return made


def save(folder: Path, index: int, change: Callable[[Any], object] = lambda _: None, name: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    made = dataset(index)
    change(made)
    # Names in an order that is neither that of the places nor its reverse.
    path = folder / (name or f"CT.{(index * 5) % SLICES}")
    made.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(SLICES):
        save(tmp_path / "series", index)
    return tmp_path / "series"


def check(scan: Scan) -> None:
    expected = np.stack([pixels(index).T for index in range(SLICES)], axis=2).astype(int) - 1024
    assert scan.shape == (COLUMNS, ROWS, SLICES)
    assert np.array_equal(scan.data, expected)


def test_slices_are_sorted_by_place_and_rescaled_and_lie_where_dicom_says(folder: Path) -> None:
    (folder / "notes.txt").write_text("not DICOM")
    scan = read_scan(folder)
    check(scan)
    assert scan.data.dtype == np.int16
    assert np.allclose(
        scan.affine, [[-0.7, 0, 0, 10], [0, -0.8, 0, 20], [0, 0, 2.5, -700], [0, 0, 0, 1]]
    )  # RAS: DICOM's left and back are negative
    assert scan.notes == ()


def test_every_slice_has_its_own_rescaling(folder: Path) -> None:
    save(folder, 3, lambda one: setattr(one, "RescaleIntercept", -1000))
    save(folder, 4, lambda one: (setattr(one, "RescaleSlope", 0.5), setattr(one, "RescaleIntercept", 7)))
    scan = read_scan(folder)
    assert scan.data.dtype == np.float32
    assert np.array_equal(scan.data[:, :, 3], pixels(3).T.astype(np.float32) - 1000)
    assert np.array_equal(scan.data[:, :, 4], pixels(4).T * np.float32(0.5) + 7)
    assert np.array_equal(scan.data[:, :, 5], pixels(5).T.astype(np.float32) - 1024)


def test_coronal_series_are_sorted_along_their_own_normal(tmp_path: Path) -> None:
    for index in range(SLICES):
        place = [-10.0, 3.0 * index, 50.0]
        save(
            tmp_path,
            index,
            lambda one, place=place: (
                one.update({"ImagePositionPatient": None}) or set_place(one, place, [1, 0, 0, 0, 0, -1])
            ),
        )
    scan = read_scan(tmp_path)
    check(scan)
    assert np.allclose(scan.affine[:3, 2], [0, -3, 0])
    assert np.allclose(scan.affine[:3, 1], [0, 0, -0.8])


def set_place(one: Any, position: list[float], orientation: list[float]) -> None:
    one.ImagePositionPatient, one.ImageOrientationPatient = position, orientation


def test_a_scout_and_a_report_are_left_out_and_noted(folder: Path) -> None:
    save(folder, 20, lambda one: setattr(one, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), "scout")

    def report(one: Any) -> None:
        for name in ("Rows", "Columns", "PixelData"):
            delattr(one, name)

    save(folder, 21, report, "report")
    scan = read_scan(folder)
    check(scan)
    assert "1 scout left out" in scan.notes
    assert any("without a picture" in note for note in scan.notes)


def other_series(one: Any) -> None:
    one.SeriesInstanceUID, one.SeriesDescription, one.SeriesNumber = f"{UID}.9", "Lung 1.0", 5
    one.RescaleIntercept = 0


def test_mixed_series_are_named_and_one_can_be_chosen(folder: Path) -> None:
    for index in range(3):
        save(folder / "more", index, other_series)
    with pytest.raises(DataError) as caught:
        read_scan(folder)
    assert "2 series" in caught.value.message
    assert "'Body 2.5' (series 4, 8 slices of 5 x 6, axial" in caught.value.message
    assert "'Lung 1.0' (series 5, 3 slices" in caught.value.message
    check(read_scan(folder, "Body 2.5"))
    check(read_scan(folder, "1"))
    assert read_scan(folder, f"{UID}.9").shape[2] == 3
    with pytest.raises(DataError, match="0 series that match"):
        read_scan(folder, "Head")


def test_two_phases_in_one_series_are_told_apart(folder: Path) -> None:
    for index in range(SLICES):
        save(folder, index, lambda one: setattr(one, "AcquisitionNumber", 2), f"late.{index}")
    with pytest.raises(DataError, match=r"2 series.*acquisition 2"):
        read_scan(folder)
    check(read_scan(folder, "1"))


def test_uneven_slices_and_a_tilted_gantry_are_noted(tmp_path: Path) -> None:
    for index in range(SLICES):
        z = 2.5 * index + (0.5 if index == 3 else 0)
        save(tmp_path / "uneven", index, lambda one, z=z: setattr(one, "ImagePositionPatient", [0, 0, z]))
        tilt = [0, 0.6 * index, 2.5 * index]
        save(tmp_path / "tilted", index, lambda one, tilt=tilt: setattr(one, "ImagePositionPatient", tilt))
    (note,) = read_scan(tmp_path / "uneven").notes
    assert note == "uneven slices: 2 to 3 mm apart, taken as 2.5 mm"
    scan = read_scan(tmp_path / "tilted")
    assert "tilted gantry: slices shift by 13.5 degrees" in scan.notes[0]
    assert np.allclose(scan.affine[:3, 2], [0, -0.6, 2.5])


def drop(name: str) -> Callable[[Any], object]:
    return lambda one: delattr(one, name)


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda folder: (folder / "CT.4").unlink(), "slices are missing: they are 2.5 mm apart"),
        (lambda folder: save(folder, 3, name="copy"), "1 slices lie at the place of another"),
        (lambda folder: save(folder, 3, drop("PixelData")), "no pixel data"),
        (lambda folder: save(folder, 3, drop("ImagePositionPatient")), "no ImagePositionPatient"),
        (
            lambda folder: save(folder, 3, lambda one: setattr(one, "PixelData", b"\0" * 9 + b"\0")),
            "pixels cannot be read",
        ),
        (
            lambda folder: save(folder, 3, lambda one: setattr(one, "ImagePositionPatient", [40, -20, -692.5])),
            "do not lie on one line: CT.7",
        ),
        (lambda folder: save(folder, 3, lambda one: setattr(one, "SamplesPerPixel", 3)), "colour"),
        (lambda folder: save(folder, 3, lambda one: setattr(one, "NumberOfFrames", 7)), "several frames"),
        (lambda folder: (folder / "CT.99.dcm").write_bytes(b"no dicom at all" * 20), "DICOM"),
        (lambda folder: [path.unlink() for path in list(folder.iterdir())], "no DICOM picture"),
        (lambda folder: [path.unlink() for path in list(folder.iterdir())[1:]], "a single slice"),
    ],
)
def test_a_broken_series_is_an_error_that_names_the_fault(
    folder: Path, break_it: Callable[[Path], object], told: str
) -> None:
    break_it(folder)
    with pytest.raises(UserError) as caught:
        read_scan(folder)
    assert told in caught.value.message
    assert caught.value.file
    assert caught.value.fix


def test_a_volume_of_npy_is_not_placed(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    np.save(tmp_path / "image.npy", values)
    scan = read_scan(tmp_path / "image.npy")
    assert not scan.placed
    assert np.array_equal(scan.data.transpose(2, 1, 0), values[0])
    np.save(tmp_path / "pickle.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="never loaded"):
        read_scan(tmp_path / "pickle.npy")


def test_a_real_series_lies_on_its_labels(shared: Path) -> None:
    from m3dbench.data.raw.nifti import read_labels

    case = shared / "data" / "totalsegmentator" / "case_c"
    scan = read_scan(case / "dicom")
    labels = read_labels(case / "labels.nii.gz", scan)
    liver = scan.data[labels == 5]
    assert scan.shape == (512, 512, 20)
    assert scan.notes == ()
    assert 60 < np.median(liver) < 160
    assert np.percentile(scan.data, 1) < -900
