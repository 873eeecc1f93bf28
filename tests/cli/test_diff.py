"""``m3dbench diff`` on folders of ``run`` and of ``score``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support import write_jsonl

import m3dbench as library
from m3dbench.report.quirks import catalogue

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module", params=["random", "threshold", "blind"])
def run(
    request: pytest.FixtureRequest, m3dbench: Command, phantom: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("runs") / str(request.param)
    m3dbench("run", "--model", request.param, "--data", phantom, "--out", out)
    return out


def test_every_disagreement_has_a_cause_in_the_catalogue(run: Path, m3dbench: Command, tmp_path: Path) -> None:
    found = tmp_path / "diff.json"
    done = m3dbench("diff", run, "--json", found, "--markdown", tmp_path / "diff.md")
    told = json.loads(found.read_text())
    scores = library.load_run(run).scores()
    both = scores.pivot(index=["task", "id", "metric"], columns="scoring", values=["status", "value"])
    both = both.dropna(subset=[("status", "corrected"), ("status", "upstream")])
    status, value = both["status"], both["value"].astype(float)
    differs = (status.corrected != status.upstream) | ((value.corrected - value.upstream).abs() > 1e-9)
    expected = set(both.index[differs])
    items = {(task, item["id"], item["metric"]): item for task, part in told["tasks"].items() for item in part["items"]}
    assert {key for key in items if "/" not in key[2]} == expected
    assert {item["quirk"] for item in items.values()} <= set(catalogue()) - {"OPTION"}
    for part in told["tasks"].values():
        assert sum(total["items"] for total in part["totals"]) == len(part["items"])
    for quirk in {item["quirk"] for item in items.values()}:
        assert quirk in done.stdout
        assert quirk in (tmp_path / "diff.md").read_text()


def test_a_scored_file_is_compared_too(m3dbench: Command, tmp_path: Path) -> None:
    rows = [
        {"id": "1", "prediction": "(A)", "reference": "A", "choices": ["liver", "spleen"]},
        {"id": "2", "prediction": "A. liver B. spleen", "reference": "B", "choices": ["liver", "spleen"]},
        {"id": "3", "prediction": "A.", "reference": "A", "choices": ["liver", "spleen"]},
    ]
    answers = write_jsonl(tmp_path / "answers.jsonl", rows)
    m3dbench("score", answers, "--task", "vqa_closed", "--out", tmp_path / "scored")
    done = m3dbench("diff", tmp_path / "scored", "--json", tmp_path / "diff.json")
    (total,) = json.loads((tmp_path / "diff.json").read_text())["tasks"]["vqa_closed"]["totals"]
    assert (total["quirk"], total["items"], total["mean_change"]) == ("Q-VQA-1", 2, 0.0)
    assert total["transitions"] == {"failed -> scored": 1}
    assert "2 of 3 samples" in done.stdout


def test_an_option_of_a_metric_is_not_called_a_quirk(m3dbench: Command, tmp_path: Path) -> None:
    rows = [{"id": "1", "prediction": "livers seen", "reference": "liver seen"}]
    answers = write_jsonl(tmp_path / "answers.jsonl", rows)
    arguments = ["--task", "vqa_open", "--out", tmp_path / "scored", "--metric-option", "rouge1.stem=true"]
    m3dbench("score", answers, *arguments)
    m3dbench("diff", tmp_path / "scored", "--json", tmp_path / "diff.json", "--limit-rows", "0")
    items = json.loads((tmp_path / "diff.json").read_text())["tasks"]["vqa_open"]["items"]
    assert {(item["metric"], item["quirk"]) for item in items} == {("rouge1", "OPTION")}


def test_one_scoring_alone_is_nothing_to_compare(m3dbench: Command, tmp_path: Path) -> None:
    answers = write_jsonl(tmp_path / "answers.jsonl", [{"id": "1", "prediction": "a", "reference": "a"}])
    m3dbench("score", answers, "--task", "vqa_open", "--out", tmp_path / "scored", "--scoring", "corrected")
    assert "--scoring both" in m3dbench("diff", tmp_path / "scored", code=2).stderr
    assert "run.json" in m3dbench("diff", tmp_path, code=2).stderr
    assert "it has: vqa_open" in m3dbench("diff", tmp_path / "scored", "--task", "rec", code=2).stderr
