"""The official layouts, by hand: each reader on a small directory in exactly the form that was published."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests_support import write_jsonl

from m3dbench.data.files import DataFiles
from m3dbench.data.manifest import samples_of
from m3dbench.data.records import MaskRecord, QuestionRecord, Record, ReferringRecord, ReportRecord
from m3dbench.data.sample import Sample
from m3dbench.errors import UserError
from m3dbench.runs.engine import open_data
from m3dbench.task import Asking
from m3dbench.tasks.seg_semantic import SegSemantic
from m3dbench.tasks.vqa_closed import VqaClosed
from m3dbench.upstream.checkout import read_checkout
from m3dbench.upstream.wordings import UpstreamWordings
from m3dbench.wording import Wordings

VQA = [
    "Image Path",
    "Text",
    "Question Type",
    "Question",
    "Choice A",
    "Choice B",
    "Choice C",
    "Choice D",
    "Answer",
    "Answer Choice",
]
REFSEG = ["Image", "Mask", "Mask_ID", "Question_Type", "Question", "Answer"]
SERIES = "M3D_Cap_npy/ct_quizze/005461/Axial_non_contrast"


def table(path: Path, columns: list[str], *rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def read(root: Path, kind: type[Record], split: str = "test") -> list[Any]:
    return list(open_data(root).records(kind, split))


def asked(task: Any, root: Path, words: Wordings | None = None) -> list[Sample]:
    ask = Asking(0, DataFiles(root).mask, words or Wordings())
    return list(samples_of(task, open_data(root), "test", ask, None))


@pytest.fixture
def upstream(tmp_path: Path) -> UpstreamWordings:
    """A checkout with sentences of our own."""
    from made_checkout import make_checkout

    return UpstreamWordings(read_checkout(make_checkout(tmp_path / "checkout")))


@pytest.mark.parametrize("place", ["M3D_Cap_npy/M3D_Cap.json", "M3D_Cap.json", "M3D_Cap/M3D_Cap.json"])
@pytest.mark.parametrize("before", ["", "./Data/data/", "/home/someone/Data/data/"])
def test_cap_with_its_six_keys_wherever_the_list_was_made(tmp_path: Path, place: str, before: str) -> None:
    write(tmp_path / SERIES.replace("Axial_non_contrast", "text.txt"), "The liver is normal. ")
    item = {"image": f"{before}{SERIES}.npy", "text": f"{before}M3D_Cap_npy/ct_quizze/005461/text.txt"}
    keys = ("train", "validation", "test", "test1k", "test500", "test100")
    write(tmp_path / place, {key: [item] for key in keys})
    for key in keys:
        (record,) = read(tmp_path, ReportRecord, key)
        assert (record.id, record.case) == ("ct_quizze/005461/Axial_non_contrast", "ct_quizze/005461")
        assert (record.volume.path, record.text) == (f"{SERIES}.npy", "The liver is normal.")
        assert record.strata["plane"] == "axial"


@pytest.mark.parametrize("folder", ["M3D-VQA", "M3D_VQA", "."])
def test_vqa_tables_by_their_published_names_without_any_volume(
    tmp_path: Path, folder: str, upstream: UpstreamWordings
) -> None:
    rows = [
        [f"{SERIES}.npy", "the report, never shown", "1", "Which plane?", "Axial", "Coronal", "NA", "NA", "Axial", "A"],
        [f"{SERIES}.npy", "the report", "4", "What is seen?", "None", "N/A", "Cyst", "Mass, 3 cm", "None", "A"],
    ]
    names = {"train": "train", "val": "validation", "test": "test", "test5k": "test5k", "yn_train": "yn_train"}
    for name, split in names.items():
        table(tmp_path / folder / f"M3D_VQA_{name}.csv", VQA, *rows)
        first, second = read(tmp_path, QuestionRecord, split)
        assert first.choices == {"A": "Axial", "B": "Coronal"}
        assert (second.answer, second.choices["A"], second.choices["B"]) == ("None", "None", "N/A")
        assert [record.strata["question_type"] for record in (first, second)] == ["plane", "abnormality"]
    ours, theirs = (asked(VqaClosed(), tmp_path, words) for words in (Wordings(), upstream))
    assert ours[0].request.wording == "Which plane? Choices: A. Axial B. Coronal"
    assert theirs[0].request.wording == "Which plane? Choices: A. Axial B. Coronal C. nan D. nan"
    assert theirs[1].request.wording == "What is seen? Choices: A. nan B. nan C. Cyst D. Mass, 3 cm"
    assert "report" not in " ".join(sample.request.wording for sample in ours)


def seg(root: Path, code: str, names: list[str], indices: list[int], before: str = "", key: str = "train") -> None:
    folder = root / "M3D_Seg_npy" / code
    items = [
        {"image": f"{before}{code}/1/image.npy", "label": f"{before}{code}/1/masks/mask_{index}.npy"}
        for index in indices
    ]
    write(folder / f"{code}.json", {"labels": {}, "numTrain": 1, "numTest": 1, key: items, "test": items})
    info = root / "M3D_Seg_npy/dataset_info.json"
    before_this = json.loads(info.read_text()) if info.exists() else {}
    write(info, {**before_this, code: names, "0025": ["aorta", "gall bladder"]})
    (folder / "1/masks").mkdir(parents=True)
    np.save(folder / "1/image.npy", np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 4, 4, 4))
    np.save(folder / "1/masks/mask_0.npy", np.ones((1, 4, 4, 4), dtype=bool))
    for index in indices[1:]:
        np.save(folder / f"1/masks/mask_{index}.npy", np.zeros((1, 1, 1, 1), dtype=np.int64))


@pytest.mark.parametrize("key", ["train", "training"])
@pytest.mark.parametrize("before", ["", "M3D_Seg_npy/", "./Data/data/M3D_Seg_npy/", "/mnt/there/M3D_Seg_npy/", "ROOT"])
def test_seg_lists_in_every_spelling(tmp_path: Path, key: str, before: str) -> None:
    before = f"{tmp_path}/M3D_Seg_npy/" if before == "ROOT" else before
    seg(tmp_path, "0003", ["liver", "kidney", "spleen", "pancreas"], [0, 3], before, key)
    for split in ("train", "test"):
        first, second = read(tmp_path, MaskRecord, split)
        assert (first.id, first.name, second.id, second.name) == ("0003/1/0", "liver", "0003/1/3", "pancreas")
        assert first.volume.path == "M3D_Seg_npy/0003/1/image.npy"
    files = DataFiles(tmp_path)
    assert files.volume(first.volume).shape == (1, 4, 4, 4)
    assert files.mask(first.mask).all()
    assert not files.mask(second.mask).any(), "an absent class is one zero"
    assert open_data(tmp_path).parts(MaskRecord) == ("0003",), "0025 is a name without data"


VERTEBRAE = [
    *(f"cervical spine C{level}" for level in range(1, 8)),
    *(f"thoracic spine T{level}" for level in range(1, 13)),
    "lumbar spine L1",
    "lumbar spine L1",
    *(f"lumbar spine L{level}" for level in range(3, 7)),
    "sacrum",
    "coccygis",
    "additional 13th thoracic vertebra, T13",
]


@pytest.mark.parametrize("code", ["0014", "0015"])
def test_the_doubled_vertebra_is_repaired_with_a_reason_and_kept_under_upstream(
    tmp_path: Path, upstream: UpstreamWordings, code: str
) -> None:
    seg(tmp_path, code, VERTEBRAE, [0, 19, 20, 25, 26])
    write(
        tmp_path / "M3D_Seg_npy/term_dictionary.json",
        {
            "cervical spine C1": ["the atlas"],
            "lumbar spine L1": ["first"],
            "vertebrae L2": ["second"],
            "coccygis": ["tail"],
        },
    )
    names = {record.id.rpartition("/")[2]: record for record in read(tmp_path, MaskRecord)}
    assert (names["19"].name, names["19"].definitions, names["19"].note) == ("lumbar spine L1", ("first",), "")
    assert (names["20"].name, names["20"].definitions) == ("lumbar spine L2", ("second",))
    assert "class 20, 'lumbar spine L1', is named so a second time: asked for as 'lumbar spine L2'" in names["20"].note
    assert "those of 'vertebrae L2' are used" in names["20"].note
    assert (names["26"].name, names["26"].definitions) == ("coccyx", ("tail",))
    assert "'sacrum' has no definitions in term_dictionary.json" in names["25"].note
    assert not names["20"].ambiguous
    ours, theirs = (asked(SegSemantic(), tmp_path, words) for words in (Wordings(), upstream))
    assert [sample.request.target for sample in ours][1:3] == ["lumbar spine L1", "lumbar spine L2"]
    assert [sample.request.target for sample in theirs][1:3] == ["lumbar spine L1", "lumbar spine L1"]
    assert [bool(sample.note) for sample in ours] == [False, False, True, True, True]
    assert not any(sample.note for sample in theirs)
    assert theirs[2].strata["class"] == "lumbar spine L1"
    assert Sample.from_json(json.loads(json.dumps(ours[2].to_json()))) == ours[2]


def test_two_classes_of_one_name_that_no_one_knows_to_repair_are_told(tmp_path: Path) -> None:
    seg(tmp_path, "0099", ["liver", "tumour", "tumour"], [0, 1, 2])
    first, second, third = read(tmp_path, MaskRecord)
    assert first.note == ""
    assert (
        second.note
        == third.note
        == "0099: 'tumour' is the name of 2 classes, so a request does not tell which is meant"
    )


def test_the_release_as_downloaded_names_the_command_that_prepares_it(tmp_path: Path) -> None:
    write(tmp_path / "M3D_Seg/0003/0003.json", {"train": [], "test": []})
    write(tmp_path / "M3D_Seg/0003/1/mask_(4, 2, 2, 2).npz", "")
    with pytest.raises(UserError, match="as released") as caught:
        read(tmp_path, MaskRecord)
    assert "m3dbench data prepare seg" in str(caught.value.fix)
    seg(tmp_path, "0003", ["liver"], [0])
    items = [{"image": "0003/1/image.npy", "label": "0003/1/mask_(4, 2, 2, 2).npz"}]
    write(tmp_path / "M3D_Seg_npy/0003/0003.json", {"test": items})
    with pytest.raises(UserError, match="not a prepared mask") as caught:
        read(tmp_path, MaskRecord)
    assert "m3dbench data prepare seg" in str(caught.value.fix)


@pytest.mark.parametrize("folder", ["M3D_RefSeg", "M3D_RefSeg_npy", "M3D-RefSeg"])
def test_refseg_tables_and_both_marks(tmp_path: Path, folder: str) -> None:
    paths = ["M3D_RefSeg_npy/s0000/ct.npy", "/mnt/there/M3D_RefSeg_npy/s0000/mask.npy"]
    rows = [[*paths, "1", "0", "Where is it?", "It is [SEG]."], [*paths, "2", "1", "What is odd?", "That: <SEG>."]]
    for split in ("train", "test", "all"):
        table(tmp_path / folder / f"M3D_RefSeg_{split}.csv", REFSEG, *rows)
        first, second = read(tmp_path, ReferringRecord, split)
        assert (first.kind, second.kind) == ("description", "reasoning")
        assert (first.answer, second.answer) == ("It is [SEG].", "That: [SEG].")
        assert (first.mask.path, second.mask.label) == ("M3D_RefSeg_npy/s0000/mask.npy", 2)


def test_text_tasks_score_with_no_volume_present(tmp_path: Path, m3dbench: Any) -> None:
    data = tmp_path / "data"
    rows = [
        [f"{SERIES}.npy", "", "1", f"Question {n}?", "Axial", "Coronal", "NA", "NA", "Axial", "A"] for n in range(3)
    ]
    table(data / "M3D-VQA/M3D_VQA_test.csv", VQA, *rows)
    answers = [{"id": f"ct_quizze/005461/Axial_non_contrast#{n}", "prediction": "A. Axial"} for n in (1, 2, 3)]
    write_jsonl(tmp_path / "answers.jsonl", answers)
    done = m3dbench(
        "score", tmp_path / "answers.jsonl", "--task", "vqa_closed", "--data", data, "--out", tmp_path / "s"
    )
    assert "1.000" in done.stdout
    assert not list(data.rglob("*.npy"))
