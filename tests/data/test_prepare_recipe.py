"""``data prepare --recipe upstream`` gives, bit for bit, what MONAI's transforms give when they are called plainly."""

from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import sparse

from m3dbench.data import phantom
from m3dbench.data.geometry import read_geometry, to_native
from m3dbench.data.prepare.cap import PrepareCap
from m3dbench.data.prepare.prepare import Report, prepare
from m3dbench.data.prepare.recipe import Preparation, Recipe
from m3dbench.data.prepare.refseg import PrepareRefSeg
from m3dbench.data.prepare.seg import PrepareSeg

mtf: Any = pytest.importorskip("monai.transforms", reason="needs m3dbench[prepare]")
pytest.importorskip("PIL", reason="needs m3dbench[data]")
nibabel: Any = pytest.importorskip("nibabel", reason="needs m3dbench[data]")

GRID = (32, 256, 256)
Array = npt.NDArray[Any]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phantom.make(tmp_path_factory.mktemp("phantom") / "raw", train=2, validation=0, test=2, raw=True)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prepared")


def run(preparation: Preparation, raw: Path, out: Path) -> Report:
    report = prepare(preparation, raw, out)
    assert not report.failed
    return report


def plain_cap(folder: Path) -> Array:
    """One series, in the order of models.md section 1.4."""
    from PIL import Image

    slices = []
    for path in sorted(folder.iterdir(), key=lambda path: int(path.stem)):
        try:
            slices.append(np.array(Image.open(path).convert("L")).astype(np.float32) / 255.0)
        except OSError:
            continue
    shape = Counter(one.shape for one in slices).most_common(1)[0][0]
    image = np.stack([one for one in slices if one.shape == shape])[None]
    image = image - image.min()
    image = image / np.clip(image.max(), a_min=1e-8, a_max=None)
    return np.asarray(mtf.Compose([mtf.CropForeground(), mtf.Resize(spatial_size=GRID, mode="bilinear")])(image))


def test_cap_volumes_and_texts_are_the_references(raw: Path, out: Path) -> None:
    report = run(PrepareCap(raw, Recipe()), raw, out)
    folders = sorted(raw.glob("M3D_Cap/*/*/*_*"))
    suffixes = {path.suffix for folder in folders for path in folder.iterdir()}
    assert suffixes == {".jpeg", ".png"}
    assert report.case_notes, "a series with a scout and a broken picture is among them"
    for folder in folders[:: max(1, len(folders) // 8)] + [folder for folder in folders if (folder / "0.png").exists()]:
        made = np.load(out / "M3D_Cap_npy" / folder.relative_to(raw / "M3D_Cap").with_name(f"{folder.name}.npy"))
        expected = plain_cap(folder)
        assert (made.dtype, made.shape) == (np.float32, (1, *GRID))
        assert np.array_equal(made, expected)
    for path in raw.glob("M3D_Cap/*/*/text.txt"):
        place = path.relative_to(raw / "M3D_Cap")
        assert (out / "M3D_Cap_npy" / place).read_bytes() == (raw / "M3D_Cap_npy" / place).read_bytes()
    assert (out / "M3D_Cap_npy/M3D_Cap.json").read_bytes() == (raw / "M3D_Cap_npy/M3D_Cap.json").read_bytes()


def plain_seg(image: Path, label: Path) -> tuple[Array, Array]:
    shape = ast.literal_eval(label.stem.split("_")[1])
    masks = np.swapaxes(sparse.load_npz(label).toarray().reshape(shape), -1, -3)
    volume = np.swapaxes(np.load(image), -1, -3)
    volume = volume - volume.min()
    volume = volume / np.clip(volume.max(), a_min=1e-8, a_max=None)
    keys = ["image", "label"]
    transform = mtf.Compose(
        [
            mtf.EnsureTyped(keys=keys, track_meta=False),
            mtf.CropForegroundd(keys=keys, source_key="image"),
            mtf.Resized(keys=keys, spatial_size=GRID, mode=["bilinear", "nearest"]),
        ]
    )
    done = transform({"image": volume, "label": masks})
    return np.asarray(done["image"]), np.asarray(done["label"]).astype(bool)


def test_seg_volumes_and_masks_are_the_references(raw: Path, out: Path) -> None:
    run(PrepareSeg(raw, Recipe()), raw, out)
    absent = 0
    for code in ("0003", "0011", "0012"):
        lists = json.loads((raw / f"M3D_Seg/{code}/{code}.json").read_text())
        made = json.loads((out / f"M3D_Seg_npy/{code}/{code}.json").read_text())
        for split, dtype in (("train", np.int8), ("test", np.int64)):
            assert len(made[split]) == len(lists[split]) * len(phantom.DATASETS[code])
            item = lists[split][0]
            image, masks = plain_seg(raw / "M3D_Seg" / item["image"], raw / "M3D_Seg" / item["label"])
            folder = (out / "M3D_Seg_npy" / item["image"]).parent
            assert np.array_equal(np.load(folder / "image.npy"), image)
            for index, mask in enumerate(masks):
                saved = np.load(folder / "masks" / f"mask_{index}.npy")
                if mask.any():
                    assert saved.dtype == np.bool_
                    assert np.array_equal(saved[0], mask)
                else:
                    absent += 1
                    assert (saved.shape, saved.dtype, saved.any()) == ((1, 1, 1, 1), dtype, False)
    assert absent
    same = ("dataset_info.json", "term_dictionary.json")
    assert [json.loads((out / "M3D_Seg_npy" / name).read_text()) for name in same] == [
        json.loads((raw / "M3D_Seg_npy" / name).read_text()) for name in same
    ]


def test_refseg_volumes_and_masks_are_the_references_and_masks_go_back(raw: Path, out: Path) -> None:
    run(PrepareRefSeg(raw, Recipe()), raw, out)
    transform = mtf.Compose(
        [
            mtf.ScaleIntensityRangePercentilesd(keys=["image"], lower=0.5, upper=99.5, b_max=1.0, b_min=0.0, clip=True),
            mtf.CropForegroundd(keys=["image", "seg"], source_key="image"),
            mtf.Resized(keys=["image", "seg"], spatial_size=GRID, mode=["trilinear", "nearest"]),
        ]
    )
    folders = sorted((raw / "M3D_RefSeg").glob("*/"))
    for folder in folders[:2]:
        pair = {
            key: nibabel.load(folder / f"{name}.nii.gz").get_fdata().transpose(2, 0, 1)[None]
            for key, name in (("image", "ct"), ("seg", "mask"))
        }
        done = transform(pair)
        made = out / "M3D_RefSeg_npy" / folder.name
        assert np.array_equal(np.load(made / "ct.npy"), np.asarray(done["image"]))
        mask = np.load(made / "mask.npy")
        assert mask.dtype == np.float32
        assert np.array_equal(mask, np.asarray(done["seg"]))
        assert (made / "text.json").read_bytes() == (folder / "text.json").read_bytes()
        native, affine = to_native(mask[0] == 1, read_geometry(made / "geometry.json"))
        image = nibabel.load(folder / "mask.nii.gz")
        truth = np.asarray(image.dataobj) == 1
        assert np.allclose(affine, image.affine)
        assert 2 * (native & truth).sum() / (native.sum() + truth.sum()) > 0.6
    assert (out / "M3D_RefSeg/M3D_RefSeg_test.csv").is_file()


def test_the_marker_keeps_all_kinds_and_says_that_it_is_a_phantom(raw: Path, out: Path) -> None:
    marker = json.loads((out / "m3dbench-data.json").read_text())
    assert marker["kind"] == "phantom"
    assert set(marker["prepared"]) == {"cap", "seg", "refseg"}
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert set(marker["digests"]) == {name for name in files if not name.startswith("m3dbench-")}


@pytest.mark.parametrize("dtype", [np.float64, np.int16])
def test_memory_is_saved_without_changing_a_bit(dtype: type) -> None:
    from m3dbench.data.prepare import reference

    draw = np.random.default_rng(3)
    volume = (draw.normal(0, 300, (1, 19, 37, 23)) * 7).astype(dtype)
    volume[:, :4] = volume.min()
    plain = volume - volume.min()
    plain = plain / np.clip(plain.max(), a_min=1e-8, a_max=None)
    made = reference.unit(volume.copy())
    box = reference.foreground(made)
    expected = np.asarray(mtf.CropForeground()(plain))
    assert np.array_equal(reference.cut(made, box), expected)
    for grid in ((8, 50, 11), (31, 20, 64)):
        assert np.array_equal(
            reference.fit(reference.cut(made, box), grid),
            np.asarray(mtf.Resize(spatial_size=grid, mode="bilinear")(expected)),
        )
        labels = draw.integers(0, 5, (19, 37, 23))
        whole = np.asarray(mtf.Resize(spatial_size=grid, mode="nearest")(labels[None]))
        assert np.array_equal(reference.fit_labels(labels, ((0, 19), (0, 37), (0, 23)), grid), whole[0])
    scaled, _ = reference.percentile_scaled(volume.astype(np.float64))
    plainly = mtf.ScaleIntensityRangePercentiles(lower=0.5, upper=99.5, b_min=0.0, b_max=1.0, clip=True)
    assert np.array_equal(scaled, np.asarray(plainly(volume.astype(np.float64))))
