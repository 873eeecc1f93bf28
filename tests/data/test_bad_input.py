"""Files broken in every way that users' files are: each ends in an error that names the file and the remedy."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from m3dbench.data.arrays import LIMIT_BYTES, array_header, read_array
from m3dbench.data.dataset import DataRoot, read_json, read_text
from m3dbench.data.files import inside, load_mask, load_volume
from m3dbench.data.mask_files import read_mask_file
from m3dbench.data.sample import FileRef, MaskRef
from m3dbench.data.tables import read_lines, read_rows
from m3dbench.errors import DataError

VOLUME = np.linspace(0, 1, 4 * 8 * 8, dtype=np.float32).reshape(1, 4, 8, 8)


def whole(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def bomb() -> bytes:
    """A few KiB that unpack to more than is ever read."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (LIMIT_BYTES + 1,)})
    small = io.BytesIO()
    with zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mask.npy", header.getvalue() + bytes(1000))
    # The archive says how much it holds in two places; a bomb of honest size would take a minute to write.
    real = (len(header.getvalue()) + 1000).to_bytes(4, "little")
    return small.getvalue().replace(real, (LIMIT_BYTES + 200).to_bytes(4, "little"))


def npz(*names: str) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **dict.fromkeys(names, VOLUME))
    return stream.getvalue()


BROKEN_ARRAYS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "truncated": (lambda: whole(VOLUME)[:-40], "truncated", "needs 1,024 bytes, 984 are there"),
    "header alone": (lambda: whole(VOLUME)[:40], "unreadable", "cannot be read"),
    "object array": (lambda: whole(np.array([{"a": 1}], dtype=object)), "pickle", "never loaded"),
    "bare pickle": (lambda: pickle.dumps([1, 2]), "pickle", "never loaded"),
    "npz bomb": (bomb, "too_large", "more than the 2 GiB"),
    "npz cut short": (lambda: npz("a")[:-30], "unreadable", "cannot be read"),
    "two arrays": (lambda: npz("a", "b"), "unreadable", "holds 2 arrays"),
    "zero bytes": (lambda: b"", "empty_file", "empty"),
    "text": (lambda: b"not an array at all", "unreadable", "no npy or npz file"),
    "NaN": (lambda: whole(np.where(VOLUME > 0.5, np.nan, VOLUME)), "not_finite", "NaN"),
    "constant": (lambda: whole(np.zeros_like(VOLUME)), "constant", "constant"),
    "five axes": (lambda: whole(VOLUME[None]), "wrong_shape", "expected (1, D, H, W)"),
    "no voxels": (lambda: whole(VOLUME[:, :0]), "wrong_shape", "no voxels"),
    "strings": (lambda: whole(np.full((1, 2, 2, 2), "a")), "wrong_dtype", "expected numbers"),
}


@pytest.mark.parametrize("name", BROKEN_ARRAYS)
def test_a_broken_volume_is_told_as_what_it_is(name: str, tmp_path: Path) -> None:
    content, kind, told = BROKEN_ARRAYS[name]
    (tmp_path / "image.npy").write_bytes(content())
    with pytest.raises(DataError) as caught:
        load_volume(tmp_path, FileRef("image.npy"))
    assert caught.value.kind == kind
    assert told in caught.value.message
    assert caught.value.file == "image.npy"


def test_a_header_that_promises_too_much_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    with (tmp_path / "big.npy").open("wb") as stream:
        header = {"descr": "<f8", "fortran_order": False, "shape": (1, 4096, 4096, 4096)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(bytes(100))
    with pytest.raises(DataError, match=r"512\.0 GiB") as caught:
        read_array(tmp_path / "big.npy", "big.npy")
    assert caught.value.kind == "too_large"


def test_sound_arrays_are_read_with_their_header_first(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(VOLUME))
    (tmp_path / "b.npz").write_bytes(npz("mask"))
    for name in ("a.npy", "b.npz"):
        assert array_header(tmp_path / name, name).shape == VOLUME.shape
        assert np.array_equal(read_array(tmp_path / name, name), VOLUME)


@pytest.mark.parametrize("path", ["../outside.npy", "a/../../outside.npy", "/etc/hostname", "link.npy"])
def test_paths_that_leave_the_root_are_refused(path: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    np.save(tmp_path / "outside.npy", VOLUME)
    (root / "link.npy").symlink_to(tmp_path / "outside.npy")
    with pytest.raises(DataError, match="leaves the data root") as caught:
        load_volume(root, FileRef(path))
    assert caught.value.kind == "outside_root"
    assert caught.value.fix is not None and str(root) in caught.value.fix


def test_an_absolute_path_inside_the_root_is_a_path_like_any_other(tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", VOLUME)
    assert load_volume(tmp_path, FileRef(str(tmp_path / "image.npy"))).shape == VOLUME.shape


def test_what_is_no_file_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "one.npy").symlink_to("two.npy")
    (tmp_path / "two.npy").symlink_to("one.npy")
    (tmp_path / "folder.npy").mkdir()
    os.mkfifo(tmp_path / "pipe.npy")
    expected = {
        "one.npy": "symlink_loop",
        "folder.npy": "no_file",
        "pipe.npy": "no_file",
        "gone.npy": "missing_file",
        "a\0b.npy": "unreadable",
        "x" * 300: "unreadable",
    }
    for name, kind in expected.items():
        with pytest.raises(DataError) as caught:
            load_mask(tmp_path, MaskRef(name))
        assert caught.value.kind == kind, name
        with pytest.raises(DataError) as caught:
            read_text(DataRoot(tmp_path), name)
        assert caught.value.kind == kind, name


BROKEN_JSON = {
    "a trailing comma": (b'{"test": [1, 2,]}', "line 1, column"),
    "cut short": (b'{"test": [{"image": "a', "line 1, column"),
    "UTF-16": ('{"test": []}'.encode("utf-16"), ""),
    "CP1252": ('{"test": "Läsion"}'.encode("cp1252"), "line 1"),
    "zero bytes": (b"", ""),
    "too deep": (b"[" * 100_000, ""),
}


@pytest.mark.parametrize("name", BROKEN_JSON)
def test_broken_json_is_named_with_its_place(name: str, tmp_path: Path) -> None:
    content, place = BROKEN_JSON[name]
    (tmp_path / "list.json").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_json(tmp_path / "list.json")
    assert caught.value.file == str(tmp_path / "list.json")
    assert place in (caught.value.record or "")


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('{"a": 1}', encoding="utf-8-sig")
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n{"a": 2}\n', encoding="utf-8-sig")
    (tmp_path / "text.txt").write_text("No lesion.", encoding="utf-8-sig")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n", encoding="utf-8-sig")
    assert read_json(tmp_path / "list.json") == {"a": 1}
    assert [row["a"] for _, row in read_lines(tmp_path / "rows.jsonl")] == [1, 2]
    assert read_text(DataRoot(tmp_path), "text.txt") == "No lesion."
    assert [row for _, row in read_rows(tmp_path / "table.csv", ["a", "b"])] == [{"a": "1", "b": "2"}]


BROKEN_TABLES = {
    "an open quote": (b'a,b\n1,2\n3,"four\n5,6\n', "line 3", "valid CSV"),
    "a stray quote": (b'a,b\n1,2\n"3"x,4\n', "line 3", "valid CSV"),
    "CP1252": ("a,b\n1,2\n3,Lösung\n".encode("cp1252"), "line 3", "UTF-8"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), None, "UTF-16"),
    "a row too long": (b"a,b\n1,2\n3,4,5\n", "line 3", "too many"),
    "semicolons": (b"a;b\n1;2\n", "line 1", "columns are missing"),
    "zero bytes": (b"", None, "empty"),
}


@pytest.mark.parametrize("name", BROKEN_TABLES)
def test_a_broken_table_is_named_with_its_line(name: str, tmp_path: Path) -> None:
    content, record, told = BROKEN_TABLES[name]
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(DataError, match=told) as caught:
        list(read_rows(tmp_path / "table.csv", ["a", "b"]))
    assert caught.value.record == record
    assert caught.value.fix


def test_a_directory_for_a_table_or_a_list_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "table.csv").mkdir()
    for read in (lambda: list(read_rows(tmp_path / "table.csv", ["a"])), lambda: read_json(tmp_path / "table.csv")):
        with pytest.raises(DataError, match="is a directory"):
            read()


def nifti(tmp_path: Path, shape: tuple[int, ...], third_row: tuple[float, ...] = (0, 0, 1, 0)) -> Path:
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(np.ones(shape, dtype=np.uint8), np.eye(4))
    image.header.set_sform(np.eye(4), code=1)
    content = bytearray(image.to_bytes())
    content[312:328] = np.asarray(third_row, dtype="<f4").tobytes()
    path = tmp_path / "mask.nii.gz"
    path.write_bytes(gzip.compress(bytes(content)))
    return path


def test_a_nifti_that_is_cut_short_four_dimensional_or_nowhere_in_space(tmp_path: Path) -> None:
    path = nifti(tmp_path, (30, 30, 30))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        read_mask_file(tmp_path, "mask.nii.gz")
    nifti(tmp_path, (4, 4, 4, 2))
    with pytest.raises(DataError, match="expected a 3D mask"):
        read_mask_file(tmp_path, "mask.nii.gz")
    nifti(tmp_path, (4, 4, 4), third_row=(0, 0, 0, 0))
    with pytest.raises(DataError, match="singular") as caught:
        read_mask_file(tmp_path, "mask.nii.gz")
    assert caught.value.field == "affine"


def test_a_nifti_that_is_empty_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "mask.nii.gz").touch()
    with pytest.raises(DataError, match="empty"):
        read_mask_file(tmp_path, "mask.nii.gz")
    (tmp_path / "other.nii.gz").mkdir()
    with pytest.raises(DataError, match="is a directory"):
        read_mask_file(tmp_path, "other.nii.gz")


def test_a_marker_that_is_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / "m3dbench-data.json").write_text(json.dumps({"kind": "phantom"})[:-1])
    with pytest.raises(DataError, match="valid JSON"):
        DataRoot.open(tmp_path)
    assert inside(tmp_path, "a/b").name == "b"
