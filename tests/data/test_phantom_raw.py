"""The phantom's raw forms: preparing them by M3D's recipe gives the prepared ones."""

from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from m3dbench.data import phantom
from m3dbench.data.phantom import resample
from m3dbench.data.prepare.texts import prepared_text

pytest.importorskip("PIL")
pytest.importorskip("nibabel")

GRID = phantom.SMALL_GRID


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phantom.make(tmp_path_factory.mktemp("phantom") / "raw", train=6, validation=0, test=3, raw=True)


def read_slices(folder: Path) -> tuple[list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]], int]:
    from PIL import Image, UnidentifiedImageError

    slices, broken = [], 0
    for path in sorted(folder.iterdir(), key=lambda path: int(path.stem)):
        try:
            slices.append(np.asarray(Image.open(path).convert("L")))
        except UnidentifiedImageError:
            broken += 1
    return slices, broken


def test_cap_stacks_prepare_to_the_prepared_volumes(root: Path) -> None:
    odd = 0
    for folder in sorted(root.glob("M3D_Cap/*/*/*_*")):
        slices, broken = read_slices(folder)
        shape, count = Counter(pixels.shape for pixels in slices).most_common(1)[0]
        odd += broken and count < len(slices)
        stack = np.stack([pixels for pixels in slices if pixels.shape == shape])
        prepared = np.load(root / "M3D_Cap_npy" / folder.relative_to(root / "M3D_Cap").with_name(f"{folder.name}.npy"))
        if (folder / "1.png").exists():
            assert np.array_equal(resample.fit(resample.unit(stack), GRID), prepared)
        else:
            assert (folder / "1.jpeg").exists()
    assert odd, "some stack has a scout of another shape and a broken file"
    assert len({path.suffix for path in root.glob("M3D_Cap/*/*/*_*/*")}) == 2


def test_cap_texts(root: Path) -> None:
    forms = set()
    for path in sorted(root.glob("M3D_Cap/*/*/text.txt")):
        raw = path.read_text(encoding="utf-8")
        prepared = (root / "M3D_Cap_npy" / path.relative_to(root / "M3D_Cap")).read_text(encoding="utf-8")
        assert prepared_text(raw) == prepared
        forms.add(("study_findings:" in raw, raw.rstrip().endswith("study_findings:")))
    assert forms == {(True, False), (True, True), (False, False)}


def test_seg_masks_prepare_to_the_prepared_masks(root: Path) -> None:
    for code, names in phantom.DATASETS.items():
        items = json.loads((root / f"M3D_Seg/{code}/{code}.json").read_text())["test"]
        for item in items:
            image = np.load(root / "M3D_Seg" / item["image"]).swapaxes(-1, -3)
            label = root / "M3D_Seg" / item["label"]
            shape = ast.literal_eval(label.stem.split("_")[1])
            assert shape == (len(names), 64, 64, 24)
            masks = sparse.load_npz(label).toarray().reshape(shape).swapaxes(-1, -3)
            values = resample.unit(image[0])
            prepared = np.load(root / "M3D_Seg_npy" / item["image"])
            assert np.abs(resample.fit(values, GRID) - prepared).max() <= 1 / 2048
            box = resample.foreground(values)
            for index in range(len(names)):
                kept = np.load(root / "M3D_Seg_npy" / item["image"].replace("image.npy", f"masks/mask_{index}.npy"))
                assert np.array_equal(np.broadcast_to(kept[0], GRID), resample.nearest(masks[index][box], GRID) != 0)


def test_refseg_nifti(root: Path) -> None:
    import nibabel

    for path in sorted(root.glob("M3D_RefSeg/*/mask.nii.gz")):
        nifti = nibabel.nifti1.Nifti1Image.from_filename(path)
        orientations: Any = nibabel.orientations
        assert "".join(orientations.aff2axcodes(nifti.affine)) == "LPI"
        ct = nibabel.nifti1.Nifti1Image.from_filename(path.with_name("ct.nii.gz"))
        hounsfield = np.asarray(ct.dataobj).transpose(2, 0, 1)
        box = resample.foreground(resample.percentile_clip(hounsfield))
        mask = resample.nearest(np.asarray(nifti.dataobj).transpose(2, 0, 1)[box], GRID)
        assert np.array_equal(mask, np.load(root / f"M3D_RefSeg_npy/{path.parent.name}/mask.npy")[0])
        assert path.with_name("text.json").is_file()
