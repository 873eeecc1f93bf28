"""``m3dbench score`` on the files that people have."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests_support import contents, write_jsonl

import m3dbench as library

Command = Callable[..., subprocess.CompletedProcess[str]]


def scored(m3dbench: Command, file: Path, task: str, *more: Any) -> tuple[pd.DataFrame, str]:
    out = file.parent / f"out-{file.stem}"
    done = m3dbench("score", file, "--task", task, "--out", out, *more)
    rows = pd.DataFrame([json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()])
    assert {"id", "scoring", "metric", "value", "status", "reason"} <= set(rows.columns)
    assert (out / "summary.json").is_file()
    return rows, done.stdout + done.stderr


def pick(rows: pd.DataFrame, metric: str, scoring: str = "corrected") -> pd.DataFrame:
    return rows[(rows.metric == metric) & (rows.scoring == scoring)].set_index("id")


def script_csv(path: Path, header: list[str], rows: list[list[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def test_the_csv_of_the_closed_vqa_script(m3dbench: Command, tmp_path: Path) -> None:
    patches = "<im_patch>" * 256
    question = patches + " Which organ? Choices: A. liver B. spleen C. nan D. nan"
    rows = [
        [3, question, "liver", "A", "A. liver", 1],
        [3, question, "spleen", "B", "B", 0],
        [1, "Q", "x", "C", "?", 0],
    ]
    header = ["Question Type", "Question", "Answer", "Answer Choice", "Pred", "Correct"]
    found, told = scored(m3dbench, script_csv(tmp_path / "eval_close_vqa.csv", header, rows), "vqa_closed")
    assert list(pick(found, "accuracy").value) == [1, 1, 0]
    assert list(pick(found, "accuracy", "upstream").value) == [1, 0, 0]
    assert "no case ids" in told
    assert "no sample ids" in told
    samples = library.load_run(tmp_path / "out-eval_close_vqa").samples()
    assert list(samples.question_type) == ["organ", "organ", "plane"]
    manifest = json.loads((tmp_path / "out-eval_close_vqa" / "manifest.jsonl").read_text().splitlines()[0])
    assert manifest["request"]["choices"] == {"A": "liver", "B": "spleen"}
    assert "im_patch" not in manifest["request"]["question"]


def test_the_csvs_of_the_caption_and_open_vqa_scripts(m3dbench: Command, tmp_path: Path) -> None:
    header = ["Question", "Ground Truth", "pred", "bleu", "rouge1", "meteor", "bert_f1"]
    rows = [
        ["Describe", "no focal lesion, normal liver", "normal liver, no focal lesion", 0, 0, 0, 0],
        ["Describe", "fine", "", 0, 0, 0, 0],
    ]
    found, _ = scored(m3dbench, script_csv(tmp_path / "eval_caption.csv", header, rows), "report_generation")
    assert list(pick(found, "rouge1").value) == [1, 0]
    crash = pick(found, "bleu1", "upstream").iloc[1]
    assert (crash.status, crash.quirk) == ("unscored", "Q-TXT-5")
    assert pick(found, "bleu1").value.iloc[1] == 0
    header = ["Question Type", "Question", "Answer", "Pred", "bleu", "rouge1", "meteor", "bert_f1"]
    open_rows = [[1, "Which plane?", "Axial", "axial", 0, 0, 0, 0], [2, "Which phase?", "None", "None", 0, 0, 0, 0]]
    found, _ = scored(m3dbench, script_csv(tmp_path / "eval_open_vqa.csv", header, open_rows), "vqa_open")
    assert list(pick(found, "bleu1").value) == [1, 1]
    assert list(pick(found, "bleu1", "upstream").value) == [0, 1]


def test_the_csv_of_the_rec_script(m3dbench: Command, tmp_path: Path) -> None:
    box = "<bx_start>[0.25, 0.1, 0.1, 0.469, 0.496, 0.496]<bx_end>"
    rows = [
        [0, ["REC"], "Where?", f"It is {box}.", f"Here: {box}", 1],
        [1, ["REC"], "Where?", "Sorry, there is no spleen.", "There is no spleen.", -1],
        [2, ["REC"], "Where?", f"It is {box}.", "[0.1, 0.2]", -1],
    ]
    header = ["idx", "Question Type", "Question", "Answer", "pred", "IOU"]
    found, _ = scored(m3dbench, script_csv(tmp_path / "eval_rec.csv", header, rows), "rec")
    iou = pick(found, "iou")
    assert iou.loc["0"].value == 1
    assert iou.loc["1"].status == "not_applicable"
    assert (iou.loc["2"].status, iou.loc["2"].value) == ("failed", 0)
    assert pick(found, "presence_specificity").loc["1"].value == 1
    assert list(pick(found, "iou", "upstream").value)[1:] == [-1, -1]


def test_the_csv_of_the_segmentation_script_has_no_masks_and_says_so(m3dbench: Command, tmp_path: Path) -> None:
    header = ["idx", "Question Type", "Dataset Tag", "Question", "Answer", "Pred", "Dice"]
    file = script_csv(tmp_path / "eval_seg.csv", header, [[0, "seg", "0003", "Segment", "[SEG]", "[SEG]", 0.8]])
    done = m3dbench("score", file, "--task", "seg_semantic", "--out", tmp_path / "out", code=3)
    assert "no masks" in done.stderr


def test_json_lines_with_boxes_in_declared_conventions(m3dbench: Command, tmp_path: Path) -> None:
    rows = [
        {"id": "half-open", "prediction": [0.0, 0.0, 0.0, 0.5, 0.5, 0.5], "reference": [0.0, 0.0, 0.0, 0.5, 0.5, 1.0]},
        {
            "id": "voxels",
            "prediction": [0, 0, 0, 127, 127, 15],
            "reference": [0, 0, 0, 127, 127, 15],
            "box_convention": "xyz,voxel,inclusive,corners",
        },
        {
            "id": "refused",
            "prediction": "I cannot help",
            "reference": [0, 0, 0, 1, 1, 1],
            "status": "refused",
            "reason": "policy",
        },
    ]
    found, _ = scored(m3dbench, write_jsonl(tmp_path / "boxes.jsonl", rows), "rec")
    iou = pick(found, "iou")
    assert iou.loc["half-open"].value == pytest.approx(0.5)
    assert iou.loc["voxels"].value == 1
    assert (iou.loc["refused"].status, iou.loc["refused"].value) == ("failed", 0)
    assert "policy" in iou.loc["refused"].reason


def test_masks_as_nifti_npz_and_npy(m3dbench: Command, tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    mask = np.zeros((6, 8, 10), dtype=np.uint8)
    mask[1:4, 2:6, 3:9] = 1
    affine = np.diag([0.7, 0.8, 2.5, 1.0])
    nibabel.save(nibabel.Nifti1Image(mask, affine), tmp_path / "reference.nii.gz")
    flipped = nibabel.Nifti1Image(
        mask[::-1], affine @ np.array([[-1, 0, 0, 5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    )
    nibabel.save(flipped, tmp_path / "same_place_other_axes.nii.gz")
    half = mask.astype(bool).copy()
    half[:, :4] = False
    np.savez_compressed(tmp_path / "half.npz", mask=half)
    np.save(tmp_path / "whole.npy", mask.astype(bool))
    rows = [
        {"id": "nifti", "prediction": "same_place_other_axes.nii.gz", "reference": "reference.nii.gz", "case": "a"},
        {"id": "npz", "prediction": "half.npz", "reference": "whole.npy", "case": "a"},
        {"id": "none", "prediction": None, "reference": "whole.npy", "case": "b"},
        {"id": "gone", "prediction": "nowhere.npz", "reference": "whole.npy", "case": "b"},
        {"id": "out", "prediction": "../../etc/passwd", "reference": "whole.npy", "case": "b"},
    ]
    found, _ = scored(m3dbench, write_jsonl(tmp_path / "masks.jsonl", rows), "seg_semantic")
    dice = pick(found, "dice")
    assert dice.loc["nifti"].value == 1
    assert dice.loc["npz"].value == pytest.approx(2 * half.sum() / (half.sum() + mask.sum()))
    assert (dice.loc["none"].status, dice.loc["none"].value) == ("scored", 0)
    assert (dice.loc["gone"].status, dice.loc["gone"].value) == ("failed", 0)
    assert "leaves the data root" in dice.loc["out"].reason


def test_ids_alone_with_data(m3dbench: Command, phantom: Path, tmp_path: Path) -> None:
    m3dbench("run", "--model", "oracle", "--task", "vqa_closed", "--data", phantom, "--out", tmp_path / "oracle")
    answers = library.load_run(tmp_path / "oracle").predictions()[["id", "text"]]
    rows = [{"id": row.id, "prediction": row.text} for row in answers.itertuples()]
    rows = [*rows[2:], rows[5], {"id": "stranger", "prediction": "A"}]
    file = write_jsonl(tmp_path / "answers.jsonl", rows)
    found, told = scored(m3dbench, file, "vqa_closed", "--data", phantom)
    summary = library.load_run(tmp_path / "out-answers").summary["tasks"]["vqa_closed"]
    assert summary["ids"] == {"missing": 2, "duplicate": 1, "unknown": 1}
    assert "2 missing" in told
    accuracy = pick(found, "accuracy")
    assert (accuracy.status == "failed").sum() == 2
    assert accuracy.value.sum() == len(accuracy) - 2
    arguments = ["--task", "vqa_closed", "--data", phantom, "--out", tmp_path / "complete", "--require-complete"]
    done = m3dbench("score", file, *arguments, code=2)
    assert "2 missing, 1 duplicate, 1 unknown" in done.stderr
    first = contents(tmp_path / "out-answers")
    scored(m3dbench, file, "vqa_closed", "--data", phantom)
    assert contents(tmp_path / "out-answers") == first


def test_the_replay_adapter_gives_what_the_file_says(m3dbench: Command, phantom: Path, tmp_path: Path) -> None:
    m3dbench("run", "--model", "blind", "--task", "rec,vqa_open", "--data", phantom, "--out", tmp_path / "blind")
    blind = library.load_run(tmp_path / "blind")
    for task, field in (("rec", "box"), ("vqa_open", "text")):
        rows = [{"id": row["id"], "prediction": row.get(field)} for row in blind.predictions(task).to_dict("records")]
        rows = [
            {**row, "prediction": row["prediction"] if row["prediction"] == row["prediction"] else None} for row in rows
        ]
        file = write_jsonl(tmp_path / f"{task}.jsonl", rows)
        m3dbench(
            "run",
            "--model",
            "replay",
            "-o",
            f"file={file}",
            "--task",
            task,
            "--data",
            phantom,
            "--out",
            tmp_path / f"re-{task}",
        )
        replayed = library.load_run(tmp_path / f"re-{task}").summary["tasks"][task]["metrics"]
        assert replayed == blind.summary["tasks"][task]["metrics"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"id": "a", "prediction": "x"', "line 1"),
        ('{"prediction": "x", "reference": "y"}', "field: id"),
        ('{"id": "a", "prediction": "x"}', "field: reference"),
        ('{"id": "a", "prediction": {"x": 1}, "reference": "y"}', "prediction"),
        ("", "nothing to score"),
    ],
)
def test_bad_rows_are_named(m3dbench: Command, tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(content)
    code = 3 if told == "nothing to score" else 2
    done = m3dbench("score", file, "--task", "vqa_open", "--out", tmp_path / "out", code=code)
    assert told in done.stderr


def test_a_csv_without_predictions_says_which_columns_it_has(m3dbench: Command, tmp_path: Path) -> None:
    file = script_csv(tmp_path / "x.csv", ["Question", "Answer"], [["a", "b"]])
    done = m3dbench("score", file, "--task", "vqa_open", "--out", tmp_path / "out", code=2)
    assert "Question, Answer" in done.stderr
