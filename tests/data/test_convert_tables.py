"""Label tables: every shipped data set converts from its own layout, and splits say whose they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m3dbench.data.convert.converting import ConversionReport, convert
from m3dbench.data.convert.table import load_table, shipped
from m3dbench.errors import UserError

nibabel = pytest.importorskip("nibabel", reason="needs m3dbench[data]")

GRID = (3, 5, 4)
SHAPE = (8, 9, 7)
AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
# Number of classes of M3D-Seg's codes (M3D paper, appendix), and of TotalSegmentator v2.
CLASSES = {
    "abdomenct-1k": ("0003", 4),
    "amos22": ("0002", 15),
    "btcv": ("0007", 13),
    "ct-org": ("0012", 6),
    "flare22": ("0010", 13),
    "msd-colon": ("0018", 1),
    "msd-hepaticvessel": ("0019", 2),
    "msd-liver": ("0020", 2),
    "msd-lung": ("0021", 1),
    "msd-pancreas": ("0022", 2),
    "msd-spleen": ("0023", 1),
    "nnunet": ("", 0),
    "totalsegmentator": ("", 0),
    "totalsegmentator-v1": ("0011", 104),
    "totalsegmentator-v2": ("", 117),
}


def save(path: Path, data: np.ndarray[Any, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(data, AFFINE).to_filename(path)


def scan() -> np.ndarray[Any, Any]:
    return np.linspace(-900, 900, num=int(np.prod(SHAPE)), dtype=np.int16).reshape(SHAPE)


def labels(*numbers: int) -> np.ndarray[Any, Any]:
    """Each number fills a slab of its own along z."""
    values = np.zeros(SHAPE, dtype=np.uint8)
    for place, number in enumerate(numbers):
        values[:, :, place + 1] = number
    return values


def release(folder: Path, image: str, label: str, cases: dict[str, tuple[int, ...]]) -> Path:
    for case, numbers in cases.items():
        save(folder / image.format(case=case), scan())
        save(folder / label.format(case=case), labels(*numbers))
    return folder


def run(name: str | Path, source: Path, target: Path, **options: Any) -> ConversionReport:
    return convert(load_table(name), source, target, **{"grid": GRID, **options})


def written(target: Path, code: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((target / "M3D_Seg_npy" / code / f"{code}.json").read_text())
    return found


def in_test(target: Path, code: str) -> set[str]:
    return {item["image"].split("/")[1] for item in written(target, code)["test"]}


def test_the_tables_have_the_codes_and_classes_of_m3d() -> None:
    tables = {name: load_table(name) for name in shipped()}
    assert {name: (table.code, len(table.labels)) for name, table in tables.items()} == CLASSES
    for table in tables.values():
        numbers = sorted(number for numbers in table.numbers.values() for number in numbers)
        assert numbers == list(range(1, len(numbers) + 1)), table.name
        assert table.home or not table.labels
        assert bool(table.train_fraction) == bool(table.labels)
    one, two = (tables[f"totalsegmentator-v{version}"].labels for version in (1, 2))
    assert len(set(one) & set(two)) == 97  # what v2 kept under its name
    assert (one["aorta"], two["aorta"], one["face"], two["skull"]) == (7, 52, 93, 91)


@pytest.mark.parametrize("name", [name for name, (_, count) in CLASSES.items() if count])
def test_every_layout_of_every_table_is_found_and_converted(name: str, tmp_path: Path) -> None:
    table = load_table(name)
    target = tmp_path / "out"
    number = {own: values[0] for own, values in table.numbers.items()}
    first = next(iter(number))
    for place, layout in enumerate(table.layouts):
        source = tmp_path / f"source{place}"
        case = "amos_0007" if name == "amos22" else "case_07"
        image = layout.image.replace("*", "x")
        if layout.masks:
            save(source / image.format(case=case), scan())
            own = first.replace(" ", "_")
            save(source / layout.masks.replace("{case}", case).replace("{class}", own), labels(1))
        else:
            label = layout.label.replace("*", "x")
            release(
                source,
                image.replace("xImagex", "ImagePart1"),
                label.replace("xMaskx", "Mask"),
                {case: (number[first],)},
            )
        report = run(name, source, target, code=f"c{place}")
        assert (report.converted, list(report.classes)) == ((case,), list(table.labels)), layout
        index = list(report.classes).index(first)
        assert np.load(target / f"M3D_Seg_npy/c{place}/{case}/masks/mask_{index}.npy").any()
        assert in_test(target, f"c{place}") == {case}


MSD_OLD = {"0": "background", "1": "Vessel", "2": "Tumour"}
NNUNET = {"background": 0, "liver": 1, "kidneys": [2, 3], "ignore": 9}


def test_numbers_come_from_dataset_json_in_either_spelling(tmp_path: Path) -> None:
    source = release(tmp_path / "a", "imagesTr/{case}.nii.gz", "labelsTr/{case}.nii.gz", {"hv_1": (1, 2), "hv_2": (1,)})
    save(source / "imagesTr" / "._hv_1.nii.gz", scan())  # as macOS leaves in the public archives
    save(source / "imagesTs" / "hv_9.nii.gz", scan())
    (source / "dataset.json").write_text(json.dumps({"labels": MSD_OLD}))
    report = run("msd-hepaticvessel", source, tmp_path / "out", train_fraction=0)
    assert (report.code, report.converted) == ("0019", ("hv_1", "hv_2"))
    assert report.classes == ("hepatic vessels", "tumour")
    # The numbers of dataset.json count, the order of the classes is M3D's.
    (source / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "cancer": 1, "vessel": 2}}))
    run("msd-hepaticvessel", source, tmp_path / "swapped", train_fraction=0)
    one, two = (np.load(tmp_path / out / "M3D_Seg_npy/0019/hv_2/masks/mask_0.npy") for out in ("out", "swapped"))
    assert one.any()
    assert not two.any()

    source = release(tmp_path / "b", "imagesTr/{case}_0000.nii", "labelsTr/{case}.nii", {"x": (1, 2, 3, 9)})
    (source / "dataset.json").write_text(json.dumps({"labels": NNUNET}))
    report = run("nnunet", source, tmp_path / "own", code="mine")
    assert report.classes == ("liver", "kidneys")
    assert [path.name for path in sorted((tmp_path / "own/M3D_Seg_npy/mine/x/masks").iterdir())] == [
        "mask_0.npy",
        "mask_1.npy",
    ]
    geometry = json.loads((tmp_path / "own/M3D_Seg_npy/mine/x/geometry.json").read_text())
    assert geometry["source"] == "imagesTr/x_0000.nii"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"labels": {"0": "background", "1": "spleen"}}, "'spleen' is not in the label table"),
        ({"labels": {"0": "background", "1": "vessel", "2": "hepatic vessel"}}, "twice"),
        ({"labels": {"one": "vessel"}}, "expected entries"),
        ({"modality": {}}, "no labels"),
        ({"labels": {"0": "background", "1": "vessel"}}, "does not name"),
    ],
)
def test_a_wrong_dataset_json_is_told(tmp_path: Path, content: dict[str, Any], told: str) -> None:
    source = release(tmp_path / "a", "imagesTr/{case}.nii.gz", "labelsTr/{case}.nii.gz", {"hv_1": (1, 2)})
    (source / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=told) as caught:
        run("msd-hepaticvessel", source, tmp_path / "out")
    assert caught.value.fix
    assert caught.value.file


def test_mr_of_amos_and_cases_without_labels(tmp_path: Path) -> None:
    source = release(
        tmp_path / "a", "imagesTr/{case}.nii.gz", "labelsTr/{case}.nii.gz", {"amos_0500": (1,), "amos_0507": (1,)}
    )
    save(source / "imagesVa" / "amos_0008.nii.gz", scan())
    with pytest.raises(UserError, match="the labels are missing") as caught:
        run("amos22", source, tmp_path / "out")
    assert str(caught.value.file).endswith("labelsVa/amos_0008.nii.gz")
    report = run("amos22", source, tmp_path / "out", keep_going=True)
    assert (report.kept, set(report.failed)) == (("amos_0500",), {"amos_0008"})


def split_file(path: Path, **lists: list[str]) -> Path:
    code = path.stem
    path.parent.mkdir(parents=True, exist_ok=True)
    items = {
        split: [{"image": f"/mnt/M3D_Seg/{code}/{case}/image.npy", "label": "m.npz"} for case in cases]
        for split, cases in lists.items()
    }
    path.write_text(json.dumps(items))
    return path


@pytest.fixture
def organs(tmp_path: Path) -> Path:
    """A miniature of AbdomenCT-1K: M3D calls its cases after the scan files."""
    cases = {f"Case_{number:05d}": (1, 2) for number in range(1, 7)}
    return release(tmp_path / "organs", "Images/{case}_0000.nii.gz", "Masks/{case}.nii.gz", cases)


def test_the_test_cases_of_m3d_are_used_where_its_split_file_is(organs: Path, tmp_path: Path) -> None:
    cases = [f"Case_{number:05d}" for number in range(1, 7)]
    official = split_file(
        tmp_path / "0003.json",
        train=[f"{case}_0000" for case in cases[:3]],
        test=[f"{case}_0000" for case in cases[3:5]],
    )
    report = run("abdomenct-1k", organs, tmp_path / "out", m3d_split=official)
    assert in_test(tmp_path / "out", "0003") == set(cases[3:5])
    assert (report.split.missing, report.split.unlisted) == (0, (cases[5],))
    marker = json.loads((tmp_path / "out" / "m3dbench-data.json").read_text())
    assert marker["splits"]["0003"].startswith("M3D's 0003.json")
    assert marker["conversions"]["0003"]["split"] == "m3d"

    split_file(organs / "0003.json", training=cases[:2], test=[*cases[3:5], "Case_00999"])  # found beside the scans
    report = run("abdomenct-1k", organs, tmp_path / "out")
    assert (report.converted, report.split.missing) == ((), 1)
    assert "without 1 of its 3 test cases" in report.split.told


def test_otherwise_the_split_is_by_seed_and_says_so(organs: Path, tmp_path: Path) -> None:
    report = run("abdomenct-1k", organs, tmp_path / "out", seed=5)
    assert (len(report.split.train), len(report.split.test)) == (5, 1)
    marker = json.loads((tmp_path / "out" / "m3dbench-data.json").read_text())
    assert marker["splits"] == {"0003": "made by seed 5, train 0.8; not M3D's"}
    other = run("abdomenct-1k", organs, tmp_path / "out", seed=6)
    assert other.split.told != report.split.told


@pytest.mark.parametrize(
    ("lists", "told"),
    [
        ({"train": ["a"], "test": ["b"]}, "none of its 1 test cases"),
        ({"train": ["Case_00001"], "test": ["Case_00001"]}, "in train and in test"),
        ({"train": ["Case_00001"]}, "no split file"),
    ],
)
def test_a_wrong_split_file_is_told_before_the_work(
    organs: Path, tmp_path: Path, lists: dict[str, list[str]], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        run("abdomenct-1k", organs, tmp_path / "out", m3d_split=split_file(tmp_path / "0003.json", **lists))
    assert not (tmp_path / "out").exists()


OWN = """
title = "Mine"
[[layouts]]
image = "scans/{case}.nii.gz"
label = "truth/{case}-seg.nii.gz"
[labels]
kidneys = [1, 2]
liver = 3
"""


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(OWN)
    source = release(tmp_path / "a", "scans/{case}.nii.gz", "truth/{case}-seg.nii.gz", {"p1": (1, 2, 3)})
    report = run(tmp_path / "mine.toml", source, tmp_path / "out")
    assert (report.code, report.classes) == ("mine", ("kidneys", "liver"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("title", "titel"), "titel|title"),
        (("{case}-seg", "seg"), "lacks"),
        (("scans/", "../scans/"), "leaves"),
        (("liver = 3", "liver = 'x'"), "label table"),
        (("liver = 3", "liver = "), "TOML"),
    ],
)
def test_a_broken_table_is_told(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    (tmp_path / "mine.toml").write_text(OWN.replace(*change))
    with pytest.raises(UserError) as caught:
        load_table(tmp_path / "mine.toml")
    assert any(part in str(caught.value) for part in told.split("|"))
    assert str(caught.value.file).endswith("mine.toml")


def test_an_unknown_name_lists_the_known_ones_and_other_data_are_left_alone(organs: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no label table 'amos'") as caught:
        load_table("amos")
    assert "amos22" in str(caught.value.fix)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "m3dbench-data.json").write_text('{"kind": "phantom"}')
    with pytest.raises(UserError, match="holds phantom data"):
        run("abdomenct-1k", organs, tmp_path / "out")
