"""Stratum files: read, refused, and used in scoring a file of answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support import write_jsonl

from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.data.strata import UNLISTED, read_strata
from m3dbench.errors import DataError, UserError

Command = Callable[..., subprocess.CompletedProcess[str]]


def sample(sample_id: str, case: str) -> Sample:
    return Sample(sample_id, case, Request("answer"), Reference("x"))


def test_a_samples_own_row_goes_before_its_cases(tmp_path: Path) -> None:
    path = tmp_path / "strata.jsonl"
    rows = [
        {"case": "c1", "leak": "leaked", "reason": "seen in train"},
        {"id": "s2", "leak": "clean", "scanner": "GE"},
    ]
    write_jsonl(path, rows)
    strata = read_strata(path)
    assert strata.dimensions == ("leak", "scanner")
    assert strata.of(sample("s1", "c1")) == {"leak": "leaked", "scanner": UNLISTED}
    assert strata.of(sample("s2", "c1")) == {"leak": "clean", "scanner": "GE"}
    assert strata.of(sample("s3", "c3")) == {"leak": UNLISTED, "scanner": UNLISTED}
    with pytest.raises(UserError, match="names no sample") as caught:
        strata.refuse_foreign([sample("s3", "c3")], "vqa_open")
    assert "c3" in (caught.value.record or "")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"leak": "clean"}], "neither a sample nor a case"),
        ([{"case": "c", "leak": 1}], "expected a text"),
        ([{"case": "c", "leak": "clean"}, {"case": "c", "leak": "leaked"}], "told otherwise before"),
        ([{"case": "c", "reason": "none"}], "holds no stratum"),
    ],
)
def test_unusable_files_are_refused_by_line(rows: list[dict[str, object]], told: str, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "strata.jsonl", rows)
    with pytest.raises(DataError, match=told):
        read_strata(tmp_path / "strata.jsonl")


def test_answers_are_scored_apart(m3dbench: Command, tmp_path: Path) -> None:
    answers = [
        {"id": str(number), "case": f"c{number}", "prediction": "left", "reference": "left" if number % 2 else "right"}
        for number in range(8)
    ]
    write_jsonl(tmp_path / "answers.jsonl", answers)
    rows = [{"case": f"c{number}", "leak": "leaked" if number % 2 else "clean"} for number in range(6)]
    write_jsonl(tmp_path / "strata.jsonl", rows)
    call = ["score", tmp_path / "answers.jsonl", "--task", "vqa_open", "--strata", tmp_path / "strata.jsonl"]
    done = m3dbench(*call, "--out", tmp_path / "out")
    assert "2 samples are not in the stratum file" in done.stdout
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())["tasks"]["vqa_open"]
    cells = next(item for item in summary["metrics"] if item["metric"] == "bleu1")["strata"]["leak"]
    assert {name: cell["value"] for name, cell in cells.items()} == {"clean": 0.0, "leaked": 1.0, UNLISTED: 0.5}
    write_jsonl(tmp_path / "strata.jsonl", [{"case": "other", "leak": "clean"}])
    refused = m3dbench(*call, "--out", tmp_path / "second", code=2)
    assert "names no sample of vqa_open" in refused.stderr
