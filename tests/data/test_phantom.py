"""The phantom data set: deterministic, in M3D's layout, with the awkward things of the real data."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m3dbench.data import phantom
from m3dbench.data.files import DataFiles
from m3dbench.data.geometry import read_geometry
from m3dbench.data.phantom import resample
from m3dbench.data.prepare.texts import prepared_text
from m3dbench.data.sample import FileRef

SEED = 3
Row = dict[str, str]


def small(directory: Path, **options: Any) -> Path:
    return phantom.make(directory, seed=SEED, train=6, validation=1, test=6, **options)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small(tmp_path_factory.mktemp("phantom") / "data")


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def seg_items(root: Path, code: str, split: str) -> list[Row]:
    items: list[Row] = load(root / f"M3D_Seg_npy/{code}/{code}.json")[split]
    return items


def test_two_makes_give_the_same_bytes(root: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        steps.clear()
        phantom.make(place, train=1, validation=0, test=1, progress=lambda done, total: steps.append((done, total)))
        assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)]
    assert len({(place / phantom.MARKER).read_bytes() for place in places}) == 1


def test_made_only_once(root: Path) -> None:
    before = root.stat()
    assert small(root) == root
    assert (root.stat().st_ino, root.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    with pytest.raises(ValueError, match="seed"):
        phantom.make(root, seed=SEED + 1, train=6, validation=1, test=6)


def test_marker_lists_every_file(root: Path) -> None:
    content = phantom.marker(root)
    assert content is not None
    assert (content["kind"], content["grid"], content["version"]) == ("phantom", [24, 64, 64], phantom.VERSION)
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} - {phantom.MARKER}
    assert files == set(content["digests"])
    assert not any(path.name.startswith(".") for path in root.parent.iterdir())
    assert (root / phantom.MARKER).read_bytes().count(b"\r") == 0


def test_spacing_is_told_beside_each_segmented_volume(root: Path) -> None:
    files = DataFiles(root)
    for pattern, code, order in (
        ("M3D_Seg_npy/*/*/image.npy", "IPL", (0, 1, 2)),
        ("M3D_RefSeg_npy/*/ct.npy", "ILP", (0, 2, 1)),
    ):
        volumes = sorted(root.glob(pattern))
        assert volumes
        for path in volumes[:6]:
            geometry = read_geometry(path.with_name("geometry.json"))
            assert geometry.axes_code == code
            # The same lengths by another way: the step of the grid's affine along each axis, in the world's mm.
            steps = np.linalg.norm(geometry.grid_affine[:3, :3], axis=0)
            assert geometry.spacing_mm == pytest.approx(steps, abs=1e-5)
            assert files.spacing(FileRef(path.relative_to(root).as_posix())) == geometry.spacing_mm
            case = phantom.draw(geometry.source, seed=SEED, plane="Axial")
            box = tuple(slice(*edge) for edge in geometry.crop)
            expected = resample.nearest(case.mask("liver").transpose(order)[box], case.grid)
            if order == (0, 1, 2) and (path.parent / "masks/mask_0.npy").is_file() and expected.any():
                kept = case.mask("liver").sum() * np.prod(case.spacing)
                assert expected.sum() * np.prod(geometry.spacing_mm) == pytest.approx(kept, rel=0.1)


def test_a_case_drawn_alone_equals_the_one_in_the_set(root: Path) -> None:
    for item in load(root / "M3D_Cap_npy/M3D_Cap.json")["validation"]:
        _, folder, case, name = item["image"].split("/")
        plane, setting = name.removesuffix(".npy").split("_", 1)
        drawn = phantom.draw(f"{folder}/{case}", seed=SEED, plane=plane, setting=setting)
        assert np.array_equal(drawn.image, np.load(root / item["image"]))
        assert prepared_text(drawn.report) == (root / item["text"]).read_text(encoding="utf-8")
    assert not np.array_equal(
        drawn.hu, phantom.draw(f"{folder}/{case}", seed=SEED + 1, plane=plane, setting=setting).hu
    )


def test_cap_layout(root: Path) -> None:
    splits = load(root / "M3D_Cap_npy/M3D_Cap.json")
    assert set(splits) == {"train", "validation", "test", "test1k", "test500", "test100"}
    assert splits["test100"] == splits["test"]
    images = [item["image"] for split in ("train", "validation", "test") for item in splits[split]]
    assert len(images) == len(set(images))
    for image in images:
        volume = np.load(root / image)
        assert (volume.dtype, volume.shape) == (np.float32, (1, 24, 64, 64))
        assert (volume.min(), volume.max()) >= (0, 0.9)
        assert volume.max() <= 1
        assert np.array_equal(volume * 4096, np.rint(volume * 4096))
    texts = [item["text"] for item in splits["test"]]
    assert len(set(texts)) < len(texts), "several series share one text"
    assert all("\n" not in (root / text).read_text(encoding="utf-8") for text in texts)


def test_leaks_are_planted(root: Path) -> None:
    content = phantom.marker(root)
    assert content is not None
    leaks = {leak["kind"]: leak for leak in content["planted_leaks"]}
    assert set(leaks) == {"case", "text", "normalised text", "volume"}
    splits = load(root / "M3D_Cap_npy/M3D_Cap.json")
    folders = {split: {item["image"].rsplit("/", 1)[0] for item in splits[split]} for split in ("train", "test")}
    assert folders["train"] & folders["test"] == {leaks["case"]["test"]}
    texts = {
        kind: [(root / leak[side] / "text.txt").read_text() for side in ("test", "train")]
        for kind, leak in leaks.items()
        if "Cap" in leak["test"]
    }
    assert len(set(texts["text"])) == 1
    assert len(set(texts["normalised text"])) == 2
    assert len({" ".join(text.lower().split()) for text in texts["normalised text"]}) == 1
    copies = [(root / leaks["volume"][side] / "image.npy").read_bytes() for side in ("test", "train")]
    assert copies[0] == copies[1]


@pytest.mark.parametrize("name", ["train", "val", "test", "test5k", "yn_train"])
def test_vqa_tables(root: Path, name: str) -> None:
    table = rows(root / f"M3D-VQA/M3D_VQA_{name}.csv")
    assert list(table[0]) == [
        *("Image Path", "Text", "Question Type", "Question", "Choice A", "Choice B", "Choice C", "Choice D"),
        *("Answer", "Answer Choice"),
    ]
    for row in table:
        assert (root / row["Image Path"]).is_file()
        assert row[f"Choice {row['Answer Choice']}"] == row["Answer"]
        offered = [row[f"Choice {letter}"] for letter in "ABCD" if row[f"Choice {letter}"] != "NA"]
        assert len(offered) == len(set(offered)) >= 2
        assert row["Text"] == (root / row["Image Path"]).parent.joinpath("text.txt").read_text(encoding="utf-8")
    if name != "yn_train":
        counts: dict[tuple[str, str], int] = {}
        for row in table:
            counts[row["Image Path"], row["Question Type"]] = (
                counts.get((row["Image Path"], row["Question Type"]), 0) + 1
            )
        assert all(1 <= count <= (3 if kind in "45" else 1) for (_, kind), count in counts.items())
        assert {kind for _, kind in counts} == set("12345")
    if name in ("train", "test"):
        assert any(row["Answer"] == "None" for row in table)
        assert any(row["Choice C"] == "NA" for row in table)
        assert any("," in row["Text"] for row in table), "some text needs quotes"


@pytest.mark.parametrize("code", sorted(phantom.DATASETS))
def test_seg_layout(root: Path, code: str) -> None:
    names = phantom.DATASETS[code]
    description = load(root / f"M3D_Seg_npy/{code}/{code}.json")
    assert load(root / "M3D_Seg_npy/dataset_info.json")[code] == list(names)
    assert description["labels"] == {"0": "background"} | {str(i + 1): name for i, name in enumerate(names)}
    for split, count in (("train", "numTrain"), ("test", "numTest")):
        assert len(description[split]) == description[count] * len(names)
        for item in description[split]:
            mask = np.load(root / "M3D_Seg_npy" / item["label"])
            assert mask.dtype == np.bool_
            assert mask.shape == ((1, 24, 64, 64) if mask.any() else (1, 1, 1, 1))
    image = np.load(root / "M3D_Seg_npy" / description["test"][0]["image"])
    assert (image.dtype, image.shape, image.min(), image.max()) == (
        np.float32,
        (1, 24, 64, 64),
        0,
        pytest.approx(1, abs=0.1),
    )


def test_seg_awkwardness(root: Path) -> None:
    flat: set[str] = set()
    absent: set[str] = set()
    for code, names in phantom.DATASETS.items():
        for item in seg_items(root, code, "test"):
            mask = np.load(root / "M3D_Seg_npy" / item["label"])
            name = names[int(Path(item["label"]).stem.split("_")[1])]
            if not mask.any():
                absent.add(f"{code} {name}")
            elif mask.any(axis=(0, 2, 3)).sum() == 1:
                flat.add(f"{code} {name}")
    assert "0003 spleen" in flat
    assert {"0003 spleen", "0012 brain"} <= absent
    assert {f"0011 {name}" for name in phantom.DATASETS["0011"]} & absent
    terms = load(root / "M3D_Seg_npy/term_dictionary.json")
    assert set(terms) == {name for names in phantom.DATASETS.values() for name in names}
    assert all(4 <= len(texts) <= 6 for texts in terms.values())
    assert set(terms["kidney left"]) & set(terms["kidney right"])
    assert any("liver" in text for text in terms["liver"])


def test_boxes_are_not_trivial(root: Path) -> None:
    for code in ("0003", "0011"):
        for item in seg_items(root, code, "train"):
            mask = np.load(root / "M3D_Seg_npy" / item["label"])
            if mask.any():
                box = resample.foreground(mask[0])
                share = np.prod([part.stop - part.start for part in box]) / mask[0].size
                assert 0 < share < 0.5


def test_refseg(root: Path) -> None:
    tables = {name: rows(root / f"M3D_RefSeg/M3D_RefSeg_{name}.csv") for name in ("train", "test", "all")}
    assert tables["all"] == tables["train"] + tables["test"]
    assert list(tables["all"][0]) == ["Image", "Mask", "Mask_ID", "Question_Type", "Question", "Answer"]
    assert {row["Question_Type"] for row in tables["test"]} == {"0", "1"}
    assert not {row["Image"] for row in tables["train"]} & {row["Image"] for row in tables["test"]}
    for row in tables["all"]:
        assert row["Answer"].count("[SEG]") + row["Answer"].count("<SEG>") == 1
        mask = np.load(root / row["Mask"])
        assert mask.shape == (1, 24, 64, 64)
        assert (mask == int(row["Mask_ID"])).any()
        assert row["Mask_ID"] in load((root / row["Mask"]).parent / "text.json")
    assert {"[SEG]", "<SEG>"} == {mark for row in tables["all"] for mark in ("[SEG]", "<SEG>") if mark in row["Answer"]}
    name = tables["all"][0]["Image"].split("/")[1]
    image = np.load(root / tables["all"][0]["Image"])[0]
    case = phantom.draw(f"RefSeg/{name}", seed=SEED, plane="Axial")
    upright = resample.fit(resample.percentile_clip(case.hu), (24, 64, 64))[0]
    assert np.abs(image.transpose(0, 2, 1) - upright).max() < 1e-3, "the in-plane axes are transposed"
