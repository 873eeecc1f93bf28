"""``data check`` on the phantom, and on copies of it broken in many ways at once."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m3dbench.data.check.check import check
from m3dbench.data.check.kinds import KINDS
from m3dbench.data.check.report import Report
from m3dbench.data.check.words import contains_answer, garbled
from m3dbench.runs.engine import open_data

Command = Callable[..., subprocess.CompletedProcess[str]]
CAP, SEG, VQA = "M3D_Cap_npy/M3D_Cap.json", "M3D_Seg_npy/0003/0003.json", "M3D-VQA/M3D_VQA_test.csv"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from m3dbench.data.phantom import make

    return make(tmp_path_factory.mktemp("data") / "phantom", train=2, validation=0, test=3)


@pytest.fixture
def copy(small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "data"))


def checked(root: Path, **options: Any) -> Report:
    return check(open_data(root), workers=1, **options)


def rewrite(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def edit_rows(path: Path, change: Callable[[list[dict[str, str]]], None]) -> None:
    with path.open(newline="") as stream:
        reader = csv.DictReader(stream)
        names, rows = list(reader.fieldnames or ()), list(reader)
    change(rows)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)


def test_the_phantom_is_sound_but_for_what_it_has_on_purpose(small: Path) -> None:
    report = checked(small)
    assert report.count("error") == 0
    assert set(report.counts) <= {"definition_leaks", "absent_class"}
    assert report.counts["definition_leaks"] == 1
    sizes = {size.name: size.counts for size in report.sizes}
    assert sizes["M3D-RefSeg test"]["images"] == 1
    assert sizes["M3D-VQA test"]["rows"] == sum(
        number for name, number in sizes["M3D-VQA test"].items() if name.startswith("type")
    )


def break_files(root: Path) -> dict[str, int]:
    """Break one file in each way; what has to be found."""
    items = json.loads((root / CAP).read_text())["test"]
    image, text = root / items[0]["image"], root / items[0]["text"]
    image.write_bytes(image.read_bytes()[:-100])
    text.write_text("L\u00c3\u00a4sion of the liver, 12 mm")
    volumes = [root / "M3D_Seg_npy/0003" / f"Case_{number:05d}" for number in range(4)]
    np.save(volumes[0] / "image.npy", np.full((1, 24, 64, 64), 0.5, dtype=np.float32))
    broken = np.load(volumes[1] / "image.npy")
    broken[0, 0, 0, 0] = np.nan
    np.save(volumes[1] / "image.npy", broken)
    np.save(volumes[2] / "image.npy", np.load(volumes[2] / "image.npy") * 1000)
    np.save(volumes[2] / "masks" / "mask_0.npy", np.ones((1, 3, 4, 5), dtype=bool))
    np.save(volumes[3] / "masks" / "mask_0.npy", np.full((1, 24, 64, 64), 7, dtype=np.uint8))
    (volumes[3] / "masks" / "mask_1.npy").write_bytes(b"")
    (volumes[3] / "masks" / "mask_2.npy").unlink()
    (volumes[3] / "geometry.json").write_text("{")
    np.save(volumes[3] / "masks" / "mask_9.npy", np.ones(3))
    (root / "M3D_Cap_npy" / "stray" / "000001").mkdir(parents=True)
    np.save(root / "M3D_Cap_npy" / "stray" / "000001" / "left_over.npy", np.ones(3))
    return {
        "truncated": 1,
        "garbled_text": 1,
        "constant": 1,
        "not_finite": 1,
        "range": 1,
        "mask_mismatch": 1,
        "not_binary": 1,
        "empty_file": 1,
        "missing_file": 1,
        "geometry": 1,
        "unlisted": 2,
    }


def test_broken_files_are_found_each_once_and_nothing_else(copy: Path) -> None:
    expected = break_files(copy)
    report = checked(copy)
    found = {kind: count for kind, count in report.counts.items() if kind in expected}
    assert found == expected
    # A file that is broken in another way is not also told to have changed; one that still reads is.
    assert set(report.counts) - set(expected) <= {"definition_leaks", "absent_class", "changed"}


def test_the_report_does_not_depend_on_the_number_of_processes(copy: Path) -> None:
    break_files(copy)
    (copy / "m3dbench-data.json").unlink()
    assert check(open_data(copy), workers=2).to_json() == checked(copy).to_json()


def test_quick_reads_headers_alone(copy: Path) -> None:
    break_files(copy)
    report = checked(copy, quick=True)
    assert {"truncated", "empty_file", "missing_file", "mask_mismatch"} <= set(report.counts)
    assert not {"constant", "not_finite", "range", "not_binary", "changed"} & set(report.counts)


def test_a_file_that_changed_since_it_was_made_is_told(copy: Path) -> None:
    path = copy / "M3D_Seg_npy/0003/Case_00000/image.npy"
    np.save(path, np.load(path)[:, ::-1])
    assert checked(copy).counts["changed"] == 1


def test_lists_that_are_wrong_are_told_by_record(copy: Path) -> None:
    def cap(content: Any) -> None:
        content["test"].append(content["test"][0])
        content["test"].append({"image": "x.npy"})
        content["train"].append({"image": "../../secret/a/b.npy", "text": content["train"][0]["text"]})

    def seg(content: Any) -> None:
        content["test"].append(content["test"][0])
        content["test"].append({"image": "0003/Case_00000/image.npy", "label": "0003/Case_00000/masks/mask_77.npy"})
        content["test"].append({"image": "0003/Case_00000/image.npy", "label": "0003/Case_00000/mask.npz"})

    rewrite(copy / CAP, cap)
    rewrite(copy / SEG, seg)
    report = checked(copy)
    assert report.counts["duplicate_id"] == 2
    assert report.counts["malformed_record"] == 2
    assert report.counts["unknown_class"] == 1
    assert report.counts["outside_root"] == 1
    places = {finding.record for kind in ("duplicate_id", "malformed_record") for finding in report.examples[kind]}
    assert any(place.startswith("test[") for place in places)


def test_questions_are_looked_at_one_by_one(copy: Path) -> None:
    def change(rows: list[dict[str, str]]) -> None:
        yes = {"Choice A": "Yes", "Choice B": "No", "Choice C": "NA", "Choice D": "NA"}
        kinds = {"Choice A": "Renal cyst", "Choice B": "Gallstone", "Choice C": "Gallstone ", "Choice D": "NA"}
        rows[0] |= yes | {"Answer": "Yes", "Answer Choice": "B"}
        rows[1] |= yes | {"Answer": "Yes", "Answer Choice": "C"}
        rows[2] |= kinds | {"Question": "What is it?", "Answer": "Renal cyst", "Answer Choice": "A"}
        rows[3] |= kinds | {"Question": "What then?", "Answer": "gallstone.", "Answer Choice": "B"}
        rows[4] |= kinds | {"Question": "Where does the renal cyst lie?", "Answer": "Renal cyst", "Answer Choice": "A"}
        rows[5] |= {"Question": "", "Question Type": "9"}
        rows[7] |= {"Question": rows[6]["Question"], "Image Path": rows[6]["Image Path"]}

    edit_rows(copy / VQA, change)
    counts = checked(copy).counts
    assert counts["letter_mismatch"] == 1
    assert counts["malformed_record"] == 2
    assert counts["choice_repeated"] == 2
    assert counts["answer_repeated"] == 1
    assert counts["question_leaks"] == 1
    assert counts["empty_text"] == 1
    assert counts["question_repeated"] == 1


def test_objects_that_are_not_in_their_mask_are_told(copy: Path) -> None:
    def change(rows: list[dict[str, str]]) -> None:
        rows[0] |= {"Mask_ID": "77", "Answer": "It is here."}
        rows[1] |= {"Mask_ID": "0"}

    edit_rows(copy / "M3D_RefSeg" / "M3D_RefSeg_test.csv", change) if (copy / "M3D_RefSeg").exists() else edit_rows(
        copy / "M3D_RefSeg_npy" / "M3D_RefSeg_test.csv", change
    )
    counts = checked(copy).counts
    assert counts["object_absent"] == 1
    assert counts["no_mark"] == 1
    assert counts["malformed_record"] == 1


def test_ten_thousand_missing_files_are_one_line(m3dbench: Command, tmp_path: Path) -> None:
    code = tmp_path / "data" / "M3D_Seg_npy" / "0003"
    code.mkdir(parents=True)
    items = [{"image": f"0003/c{n}/image.npy", "label": f"0003/c{n}/masks/mask_0.npy"} for n in range(5000)]
    (code / "0003.json").write_text(json.dumps({"test": items}))
    (code.parent / "dataset_info.json").write_text(json.dumps({"0003": ["liver"]}))
    done = m3dbench("data", "check", tmp_path / "data", "--json", tmp_path / "report.json", code=1)
    assert "10,000  files are missing" in done.stdout
    assert "published 800" in done.stdout
    assert len(done.stdout.splitlines()) < 30
    report = json.loads((tmp_path / "report.json").read_text())
    missing = next(finding for finding in report["findings"] if finding["kind"] == "missing_file")
    assert missing["count"] == 10_000
    assert len(missing["examples"]) == 5
    assert report["errors"] == 10_000


def test_exit_codes_and_json_on_the_terminal(m3dbench: Command, small: Path, tmp_path: Path) -> None:
    done = m3dbench("data", "check", small, "--format", "json", "--quick")
    assert json.loads(done.stdout)["errors"] == 0
    m3dbench("data", "check", tmp_path / "nowhere", code=2)


def test_a_plug_ins_data_set_is_gone_through_by_its_reader(small: Path) -> None:
    """A data set of another name than the known ones: what its reader refuses is one finding."""
    from m3dbench.data.dataset import DataSource
    from m3dbench.data.readers.m3d_cap import M3DCap

    class Other(M3DCap):
        name = "Other"

    source = DataSource(open_data(small).root, (Other(),))
    report = check(source, workers=1)
    assert report.count("error") == 0
    assert report.files > 3


def test_words() -> None:
    assert contains_answer("Is the cyst in the left kidney?", "Left kidney", ["Right kidney"])
    assert not contains_answer("Is it in the left or the right kidney?", "Left", ["Right"])
    assert not contains_answer("Is there no cyst?", "No", ["Yes"])
    assert garbled("12 mm 3 \ufffd lesion")
    assert garbled("L\u00c3\u00a4sion")
    assert garbled("a\x00b")
    assert garbled("12 / 34 -- 56 ++ 78 %% 90 ## 12 ==")
    assert not garbled("Läsion der Leber, 12 mm – „unverändert“.")
    assert not garbled("肝右叶见低密度影")
    assert all(kind.title and kind.fix for kind in KINDS.values())
