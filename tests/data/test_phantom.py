"""The phantom data set: deterministic, in M3D's layout, with the awkward things of the real data."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m3dbench.data import phantom
from m3dbench.data.phantom import resample
from m3dbench.data.phantom.report import prepared_text

SEED = 3
Row = dict[str, str]


def small(directory: Path, **options: Any) -> Path:
    return phantom.make(directory, seed=SEED, train=6, validation=1, test=6, **options)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small(tmp_path_factory.mktemp("phantom") / "data")


def program(place: Path, *, train: int, test: int) -> str:
    call = f"phantom.make(Path({str(place)!r}), train={train}, validation=0, test={test})"
    return f"from pathlib import Path; from m3dbench.data import phantom; {call}"


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


def check_answer(question: phantom.Question, facts: phantom.Facts) -> None:
    """Follow the answer back to the facts."""
    asked, answer = question.question, question.answer.lower()
    kinds = {finding.kind: finding for finding in facts.findings}
    named = [finding for kind, finding in kinds.items() if kind in asked]
    match question.type:
        case 1:
            assert answer == facts.plane.lower()
        case 2:
            assert answer.replace("-", "_").replace(" ", "_") == facts.setting
        case 3 if "missing" in asked:
            assert answer == (facts.removed[0] if facts.removed else "none")
        case 3:
            assert answer in [finding.organ for finding in facts.findings]
            wrong = {choice.lower() for choice in question.choices} - {answer}
            assert not wrong & {finding.organ for finding in facts.findings}
        case 4 if asked.startswith("Which"):
            organ = asked.removeprefix("Which abnormality is present in the ").removesuffix("?")
            assert answer == next((finding.kind for finding in facts.findings if finding.organ == organ), "none")
        case 4 if asked.startswith("Is there"):
            assert answer == ("yes" if named else "no")
        case 4:
            assert answer == f"{named[0].size_mm} mm"
        case 5 if asked.startswith("Where"):
            assert answer == named[0].place
        case 5 if asked.startswith("On which side"):
            assert answer == named[0].side
        case 5 if asked.startswith("Which part"):
            assert answer == facts.coverage
        case _:
            assert answer == (named[0].side if named else "none")


def test_answers_follow_from_the_facts() -> None:
    letters: dict[str, int] = {}
    for index in range(200):
        facts = phantom.facts_of(f"any/{index}", seed=SEED)
        for question in phantom.questions_of(facts):
            check_answer(question, facts)
            if "NA" not in question.choices:
                letters[question.letter] = letters.get(question.letter, 0) + 1
    assert set(letters) == set("ABCD")
    assert max(letters.values()) < 1.25 * min(letters.values())


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


def test_organs_are_disjoint_and_where_they_belong() -> None:
    sizes: dict[str, list[int]] = {name: [] for name in phantom.ORGANS}
    for index in range(12):
        case = phantom.draw(f"body/{index}", seed=SEED, plane="Axial")
        masks = {name: case.organ(name) for name in phantom.ORGANS}
        assert np.sum(list(masks.values()), axis=0).max() == 1
        for name, mask in masks.items():
            if name in case.facts.removed:
                assert not mask.any()
            elif mask.any():
                sizes[name].append(int(mask.sum()))
        middle = {name: np.argwhere(mask).mean(axis=0) for name, mask in masks.items() if mask.any()}
        # W runs from the patient's right to left, D from head to feet.
        assert middle["liver"][2] < 32 < middle.get("spleen", middle["liver"] + 64)[2]
        if "left kidney" in middle and "right kidney" in middle:
            assert middle["right kidney"][2] < middle["left kidney"][2]
        assert middle["L1"][0] < middle["L2"][0]
        assert np.array_equal(case.mask("kidney"), masks["left kidney"] | masks["right kidney"])
        assert not case.mask("brain").any()
    for name in ("pancreas", "aorta", "left kidney", "right kidney"):
        assert np.median(sizes[name]) > 100


def test_findings_are_in_the_volume() -> None:
    seen: set[str] = set()
    for index in range(40):
        facts = phantom.facts_of(f"lesion/{index}", seed=SEED)
        plane = phantom.PLANES[index % 3]
        case = phantom.draw(f"lesion/{index}", seed=SEED, plane=plane)
        for number, finding in enumerate(facts.findings):
            mask = case.finding_mask(number)
            assert mask.any(), finding
            volume = mask.sum() * np.prod(case.spacing)
            voxel = float(np.prod(case.spacing))
            assert volume < 1.3 * np.pi / 6 * finding.size_mm**3 + 3 * voxel
            seen.add(finding.kind)
            if plane != "Sagittal" and finding.side != "midline":
                across = np.argwhere(mask)[:, 2].mean()
                assert (across > 32) == (finding.side == "left")
    assert len(seen) >= 9


def test_planes_show_the_same_body() -> None:
    cases = {
        plane: phantom.draw("same/7", seed=SEED, plane=plane, setting="arterial_phase") for plane in phantom.PLANES
    }
    volumes = {plane: case.mask("liver").sum() * np.prod(case.spacing) for plane, case in cases.items()}
    assert max(volumes.values()) < 1.1 * min(volumes.values())
    for case in cases.values():
        assert 250 < np.median(case.hu[case.organ("aorta")]) < 400
    plain = phantom.draw("same/7", seed=SEED, plane="Axial", setting="non_contrast")
    assert np.median(plain.hu[plain.organ("aorta")]) < 60


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


def test_full_size() -> None:
    case = phantom.draw("0003/Case_00001", seed=SEED, grid=phantom.FULL_GRID)
    assert case.hu.shape == case.labels.shape == (32, 256, 256)
    assert case.image.shape == (1, 32, 256, 256)
    assert case.facts == phantom.facts_of("0003/Case_00001", seed=SEED)
    with pytest.raises(ValueError, match="too small"):
        phantom.draw("0003/Case_00001", grid=(4, 64, 64))
    with pytest.raises(ValueError, match="unknown phase"):
        phantom.draw("0003/Case_00001", setting="brain_window")


def test_killed_half_way_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    place = tmp_path / "data"
    process = subprocess.Popen([sys.executable, "-c", program(place, train=6, test=6)])
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".data.making-*/M3D_Cap_npy/*/*/*.npy")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not place.exists()
    (left,) = tmp_path.glob(".data.making-*")
    assert phantom.marker(left) is None
    day_ago = time.time() - 2 * 86400
    os.utime(left, (day_ago, day_ago))
    phantom.make(place, train=1, validation=0, test=1)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_two_processes_at_once(tmp_path: Path) -> None:
    place = tmp_path / "data"
    command = [sys.executable, "-c", program(place, train=1, test=1)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert phantom.marker(place) is not None
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(FileExistsError):
        phantom.make(tmp_path, train=1, validation=0, test=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
