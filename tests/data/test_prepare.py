"""``data prepare`` as work: finished cases kept, bad ones named, each case whole or not at all; the corrected recipe."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from m3dbench.data.geometry import read_geometry, to_native
from m3dbench.data.prepare.cap import PrepareCap
from m3dbench.data.prepare.prepare import Report, prepare, prepare_questions
from m3dbench.data.prepare.recipe import Preparation, Recipe
from m3dbench.data.prepare.refseg import PrepareRefSeg
from m3dbench.data.prepare.seg import PrepareSeg
from m3dbench.errors import UserError

pytest.importorskip("monai", reason="needs m3dbench[prepare]")
Image: Any = pytest.importorskip("PIL.Image", reason="needs m3dbench[data]")
nibabel: Any = pytest.importorskip("nibabel", reason="needs m3dbench[data]")

GRID = (4, 12, 12)
UPSTREAM, CORRECTED = Recipe("upstream", GRID), Recipe("corrected", GRID)


def picture(index: int, size: tuple[int, int] = (14, 16)) -> np.ndarray[Any, np.dtype[np.uint8]]:
    values = np.zeros(size, dtype=np.uint8)
    values[3:-3, 2:-2] = 40 + 10 * index
    values[5, 5] = 250
    return values


def series(folder: Path, count: int = 6) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        Image.fromarray(picture(index)).save(folder / f"{index + 1}.png")
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "M3D_Cap"
    for case in ("ct_case/000001", "ct_case/000002", "ct_quizze/000001"):
        series(root / case / "Axial_non_contrast")
        (root / case / "text.txt").write_text(f"title\nstudy_findings:\nThe liver of {case}\nis normal.\n")
    return root


def cap(source: Path, out: Path, recipe: Recipe = UPSTREAM, **options: Any) -> Report:
    return prepare(PrepareCap(source, recipe), source, out, **options)


def content(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_finished_cases_are_kept_until_input_or_recipe_changes(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert (cap(source, out).written, cap(source, out).kept) == (3, 3)
    before = content(out)
    (source / "ct_case/000001/text.txt").touch()
    assert cap(source, out).kept == 3, "the same content, written again"
    Image.fromarray(picture(3)).save(source / "ct_case/000002/Axial_non_contrast/2.png")
    changed = cap(source, out)
    assert (changed.written, changed.kept) == (1, 2)
    assert content(out).keys() == before.keys()
    assert content(out)["M3D_Cap_npy/ct_case/000001/text.txt"] == b"The liver of ct_case/000001 is normal."
    (out / "M3D_Cap_npy/ct_quizze/000001/text.txt").unlink()
    assert cap(source, out).written == 1, "an output is gone"
    assert cap(source, out, CORRECTED).written == 3


def test_a_torn_manifest_costs_one_case_and_workers_change_nothing(source: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    cap(source, one, CORRECTED)
    report = cap(source, two, CORRECTED, workers=2)
    assert report.written == 3
    assert {name: data for name, data in content(one).items() if name.startswith("M3D")} == {
        name: data for name, data in content(two).items() if name.startswith("M3D")
    }
    manifest = report.manifest.read_bytes()
    report.manifest.write_bytes(manifest[:-20])
    (two / ".m3dbench-partial/M3D_Cap_npy/ct_case/000001").mkdir(parents=True)
    again = cap(source, two, CORRECTED)
    assert (again.written, again.kept) == (1, 2)
    assert report.manifest.read_bytes() == manifest
    assert not (two / ".m3dbench-partial").exists()


def test_the_manifest_and_the_marker_hold_sizes_and_digests(source: Path, tmp_path: Path) -> None:
    import hashlib

    report = cap(source, tmp_path / "out")
    records = [json.loads(line) for line in report.manifest.read_text().splitlines()]
    assert [record["case"] for record in records] == ["ct_case/000001", "ct_case/000002", "ct_quizze/000001"]
    image = tmp_path / "out/M3D_Cap_npy/ct_case/000001/Axial_non_contrast.npy"
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    assert records[0]["outputs"]["Axial_non_contrast.npy"] == [image.stat().st_size, digest]
    files, size, _ = records[0]["inputs"]["Axial_non_contrast"]
    assert (files, size) == (
        6,
        sum(path.stat().st_size for path in (source / "ct_case/000001/Axial_non_contrast").iterdir()),
    )
    marker = json.loads((tmp_path / "out/m3dbench-data.json").read_text())
    assert marker["kind"] == "prepared"
    assert marker["digests"]["M3D_Cap_npy/ct_case/000001/Axial_non_contrast.npy"] == digest


def test_a_bad_series_is_named_and_everything_else_is_finished(source: Path, tmp_path: Path) -> None:
    bad = source / "ct_case/000002"
    series(bad / "Coronal_lung_window")
    for path in (bad / "Axial_non_contrast").iterdir():
        path.write_bytes(b"no picture")
    (source / "ct_quizze/000001/Axial_non_contrast/1.png").rename(
        source / "ct_quizze/000001/Axial_non_contrast/first.png"
    )
    out = tmp_path / "out"
    with pytest.raises(UserError, match="2 of 3 cases failed, the others are finished") as caught:
        cap(source, out)
    assert "none of the 6 pictures can be read" in caught.value.message
    assert "Axial_non_contrast" in str(caught.value.file)
    made = {name for name in content(out) if name.endswith(".npy")}
    assert made == {
        "M3D_Cap_npy/ct_case/000001/Axial_non_contrast.npy",
        "M3D_Cap_npy/ct_case/000002/Coronal_lung_window.npy",
    }
    report = cap(source, out, keep_going=True)
    assert set(report.failed) == {"ct_case/000002", "ct_quizze/000001"}
    assert "not named by its number" in report.failed["ct_quizze/000001"].message
    assert report.kept == 1, "a case with a bad series is tried again"


def test_names_are_written_in_ascii(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("unidecode")
    (source / "ct_case/000001/Axial_non_contrast").rename(source / "ct_case/000001/Axial_Pöschl_view")
    cap(source, tmp_path / "out")
    assert (tmp_path / "out/M3D_Cap_npy/ct_case/000001/Axial_Poschl_view.npy").is_file()
    row = "M3D_Cap_npy/ct_case/000001/Axial_Pöschl_view.npy,report,1,Which?,A,B,NA,NA,A,A"
    header = "Image Path,Text,Question Type,Question,Choice A,Choice B,Choice C,Choice D,Answer,Answer Choice"
    (tmp_path / "M3D_VQA_test.csv").write_text(
        f"{header}\n{row}\n{row.replace('000001', '000009')}\n", encoding="utf-8"
    )
    (upstream,), _ = prepare_questions(tmp_path, tmp_path / "out", UPSTREAM)
    assert len(upstream.missing) == 1
    table = tmp_path / "out/M3D-VQA/M3D_VQA_test.csv"
    assert table.read_bytes() == (tmp_path / "M3D_VQA_test.csv").read_bytes()
    (corrected,), _ = prepare_questions(tmp_path, tmp_path / "out", CORRECTED)
    assert (corrected.renamed, corrected.questions, len(corrected.images)) == (1, 2, 2)
    assert "Axial_Poschl_view.npy,report,1,Which?,A,B,NA,NA,A,A\n" in table.read_text(encoding="utf-8")


def test_corrected_keeps_sixteen_bits_and_takes_transparent_for_black(tmp_path: Path) -> None:
    folder = tmp_path / "M3D_Cap/ct_case/000001"
    deep, clear, palette = (folder / name for name in ("Axial_deep", "Axial_clear", "Axial_palette"))
    for place in (deep, clear, palette):
        place.mkdir(parents=True)
    for index in range(4):
        values = picture(index).astype(np.uint16) * 200
        values[4, 4] += 1
        Image.fromarray(values).save(deep / f"{index}.png")
        colours = np.stack([picture(index)] * 3 + [np.full((14, 16), 255, np.uint8)], axis=-1)
        colours[0, 0] = (255, 255, 255, 0)
        Image.fromarray(colours).save(clear / f"{index}.png")
        Image.fromarray(picture(index)).convert("P").save(palette / f"{index}.png")
    prepare(PrepareCap(tmp_path, CORRECTED), tmp_path, tmp_path / "out")
    made = {
        name: np.load(tmp_path / "out/M3D_Cap_npy/ct_case/000001" / f"Axial_{name}.npy")
        for name in ("deep", "clear", "palette")
    }
    assert all(image.shape == (1, *GRID) and 0 <= image.min() < image.max() <= 1 for image in made.values())
    assert np.allclose(made["clear"], made["palette"])
    assert np.allclose(made["deep"], made["palette"], atol=0.01)
    assert len(np.unique(made["deep"])) > len(np.unique(made["palette"]))


def raw_seg(root: Path, shape: tuple[int, int, int] = (20, 24, 40)) -> Path:
    """Three classes: one that is large, a thin one that nearest sampling misses, one that is absent."""
    folder = root / "M3D_Seg/0099/case 1"
    folder.mkdir(parents=True)
    image = np.full((1, *shape), -1.0, dtype=np.float32)
    image[0, 2:-2, 2:-2] = np.linspace(0, 1, shape[2], dtype=np.float32)
    np.save(folder / "image.npy", image)
    masks = np.zeros((3, *shape), dtype=np.int32)
    masks[0, 4:12, 4:12, 5:30] = 1
    masks[1, 5:15, 5:15, 17] = 1
    label = folder / f"mask_{masks.shape}.npz"
    sparse.save_npz(label, sparse.csr_matrix(masks.reshape(3, -1)))
    item = {"image": "/there/M3D_Seg/0099/case 1/image.npy", "label": f"/there/M3D_Seg/0099/case 1/{label.name}"}
    labels = {"0": "background", "1": "liver", "2": "rib", "3": "spleen"}
    (folder.parent / "0099.json").write_text(json.dumps({"labels": labels, "training": [], "test": [item]}))
    return label


def seg(root: Path, out: Path, recipe: Recipe) -> dict[str, Any]:
    report = prepare(PrepareSeg(root, recipe), root, out)
    return dict(json.loads(report.manifest.read_text()), notes=report.notes)


def test_corrected_keeps_the_thin_structures_that_upstream_loses(tmp_path: Path) -> None:
    raw_seg(tmp_path)
    lost = seg(tmp_path, tmp_path / "upstream", UPSTREAM)
    kept = seg(tmp_path, tmp_path / "corrected", CORRECTED)
    assert (lost["absent"], lost["lost"]) == ([1, 2], [1])
    assert any("1 of 3 masks have voxels in the release but none on the grid" in note for note in lost["notes"])
    assert (kept["absent"], kept["lost"], kept["thin"]) == ([2], [], [1])
    place = "M3D_Seg_npy/0099/case 1"
    upstream, corrected = (
        [np.load(tmp_path / name / place / f"masks/mask_{index}.npy") for index in range(3)]
        for name in ("upstream", "corrected")
    )
    assert upstream[1].shape == corrected[2].shape == (1, 1, 1, 1)
    assert corrected[1].shape == (1, *GRID)
    assert corrected[1].any()
    split = json.loads((tmp_path / "corrected/M3D_Seg_npy/0099/0099.json").read_text())
    assert split["test"][1] == {"image": "0099/case 1/image.npy", "label": "0099/case 1/masks/mask_1.npy"}
    assert json.loads((tmp_path / "corrected/M3D_Seg_npy/dataset_info.json").read_text()) == {
        "0099": ["liver", "rib", "spleen"]
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda label: label.unlink(), "missing"),
        (lambda label: label.write_bytes(label.read_bytes()[:200]), "sparse matrix"),
        (lambda label: np.savez(label, a=np.array([{"x": 1}], dtype=object)), "sparse matrix"),
        (lambda label: sparse.save_npz(label, sparse.csr_matrix(np.eye(3))), "its name says"),
        (lambda label: np.save(label.parent / "image.npy", np.ones((1, 2, 2, 2))), "its masks are of"),
        (lambda label: (label.parent / "image.npy").write_bytes(b"\x93NUMPY"), "cannot be read"),
    ],
)
def test_a_damaged_release_is_an_error_that_names_the_case(
    tmp_path: Path, change: Callable[[Path], object], told: str
) -> None:
    change(raw_seg(tmp_path))
    with pytest.raises(UserError, match="1 of 1 cases failed") as caught:
        prepare(PrepareSeg(tmp_path, UPSTREAM), tmp_path, tmp_path / "out")
    assert told in str(caught.value)
    assert caught.value.record == "0099/case 1"


def test_corrected_refseg_is_in_one_orientation_and_goes_back(tmp_path: Path) -> None:
    scan = np.full((20, 18, 16), -1000, dtype=np.int16)
    scan[2:18, 2:16, 2:14] = 40
    ids = np.zeros(scan.shape, dtype=np.uint8)
    ids[4:10, 4:10, 4:10] = 1
    ids[12:15, 12, 7] = 2
    folders = []
    for name, flip in (("a", 1), ("b", -1)):
        folder = tmp_path / "M3D_RefSeg" / name
        folder.mkdir(parents=True)
        affine = np.diag([2.0 * flip, 2, 3, 1])
        for file, data in (("ct", scan[::flip]), ("mask", ids[::flip])):
            nibabel.Nifti1Image(np.ascontiguousarray(data), affine).to_filename(folder / f"{file}.nii.gz")
        folders.append(folder)
    shutil.copytree(folders[0], tmp_path / "M3D_RefSeg/c")
    (tmp_path / "M3D_RefSeg/c/mask.nii.gz").unlink()
    report = prepare(PrepareRefSeg(tmp_path, CORRECTED), tmp_path, tmp_path / "out", keep_going=True)
    assert set(report.failed) == {"c"}
    assert "has no mask" in report.failed["c"].message
    first, second = (tmp_path / "out/M3D_RefSeg_npy" / name for name in "ab")
    for file in ("ct.npy", "mask.npy"):
        assert np.array_equal(np.load(first / file), np.load(second / file))
    assert set(np.unique(np.load(first / "mask.npy"))) == {0, 1, 2}, "the line of three voxels is kept"
    geometry = read_geometry(second / "geometry.json")
    assert geometry.axes_code == "SAR"
    native, _ = to_native(np.load(second / "mask.npy")[0] == 1, geometry)
    truth = ids[::-1] == 1
    assert 2 * (native & truth).sum() / (native.sum() + truth.sum()) > 0.8


def test_a_source_that_holds_nothing_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for make, told in ((PrepareCap, "ct_quizze"), (PrepareSeg, "CODE.json"), (PrepareRefSeg, "mask.nii.gz")):
        preparation: Preparation = make(tmp_path / "empty", UPSTREAM)
        with pytest.raises(UserError) as caught:
            prepare(preparation, tmp_path / "empty", tmp_path / "out")
        assert told in str(caught.value.fix)
