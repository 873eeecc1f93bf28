"""Two small runs to look at, with an error, an answer full of markup and a judgement; and a long one made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

EVIL = (
    "<script>window.owned = 1</script><img src=x onerror='window.owned = 2'></script>"
    '"><svg/onload=window.owned=3>\u2028{{ 7 * 7 }}'
)
TASKS = ("vqa_closed", "rec", "seg_semantic")
LIMIT = 24


@pytest.fixture(scope="session")
def few_cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from m3dbench.data.phantom import make

    return make(tmp_path_factory.mktemp("few") / "phantom", train=2, validation=1, test=3)


def rewrite(path: Path, changes: dict[int, dict[str, Any]]) -> None:
    """Change rows of a journal by their number."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for number, change in changes.items():
        rows[number] |= change
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def make_run(path: Path, data: Path, model: str, tasks: tuple[str, ...]) -> Path:
    from m3dbench import registry
    from m3dbench.runs.engine import Settings, open_data, run_task
    from m3dbench.runs.folder import RunFolder

    run = RunFolder.create(path)
    for name in tasks:
        adapter = registry.create("adapters", model)
        run_task(registry.create("tasks", name), adapter, open_data(data), run, Settings(limit=LIMIT))
    run.merge_summaries()
    return path


def judge(run: Path, task: str) -> None:
    """Judge the second sample of a task."""
    from m3dbench.judge.folder import JudgeFolder, Record, put_record
    from m3dbench.judge.identity import Judge
    from m3dbench.judge.items import pair_of
    from m3dbench.judge.rubric import find
    from m3dbench.report.viewer.shown_run import ShownRun
    from m3dbench.runs.journal import Journal

    shown = ShownRun(run).task(task)
    sample = shown.sample(shown.ids[1])
    prediction = shown.prediction(shown.ids[1])
    assert sample is not None
    assert prediction is not None
    record = Record(Judge("some-judge"), find("finding-level"))
    files = JudgeFolder.of(shown.folder)
    put_record(files.record, record)
    error = {"finding": "a cyst <b>in</b> the liver", "category": "false_finding", "significant": True}
    with Journal(files.journal) as journal:
        journal.append(
            {
                "id": record.judge.key(record.rubric, pair_of(sample, prediction)),
                "name": sample.id,
                "judge": record.judge.digest(record.rubric),
                "replies": [{"text": EVIL, "usage": [1, 1]}],
                "status": "scored",
                "verdict": {"matched": ["the spleen"], "errors": [error]},
            }
        )


@pytest.fixture(scope="session")
def run_a(tmp_path_factory: pytest.TempPathFactory, few_cases: Path) -> Path:
    """All three tasks; of ``vqa_closed`` the first answer is full of markup, the second judged, the
    third an error."""
    run = make_run(tmp_path_factory.mktemp("runs") / "first", few_cases, "random", TASKS)
    error = {"status": "error", "text": None, "reason": EVIL}
    rewrite(run / "vqa_closed" / "predictions.jsonl", {0: {"text": EVIL}, 2: error})
    judge(run, "vqa_closed")
    return run


@pytest.fixture(scope="session")
def run_b(tmp_path_factory: pytest.TempPathFactory, few_cases: Path) -> Path:
    """The same samples answered rightly, without the task ``rec``."""
    return make_run(tmp_path_factory.mktemp("runs") / "second", few_cases, "oracle", ("vqa_closed", "seg_semantic"))


@pytest.fixture(scope="session")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,200 samples of a text task, every fourth wrong, every tenth with scorings that disagree; its data are gone."""
    run = tmp_path_factory.mktemp("runs") / "long"
    folder = run / "vqa_open"
    folder.mkdir(parents=True)
    scoring = {"corrected": {"bleu1": "1"}, "upstream": {"bleu1": "1"}}
    facts = {"comparable": {"scoring": scoring}, "resume": {}, "recorded": {}}
    entry = {"status": "complete", "folder": "vqa_open", "title": "Open questions", "model": "long", "facts": facts}
    entry["data_root"] = str(run / "nowhere")
    (run / "run.json").write_text(json.dumps({"schema": 1, "tasks": {"vqa_open": entry}}), encoding="utf-8")
    samples, answers, scores = [], [], []
    for number in range(1200):
        name = f"case-{number:04}"
        samples.append(
            {
                "id": name,
                "case": name,
                "request": {"kind": "answer", "question": f"Question {number}?", "wording": f"Question {number}?"},
                "reference": {"text": "yes"},
                "strata": {"part": "even" if number % 2 == 0 else "odd"},
                "volume": {"path": "gone.npy"},
            }
        )
        answers.append({"id": name, "status": "ok", "text": f"answer {number}"})
        value = 0.0 if number % 4 == 0 else 1.0
        for kind, told in (("corrected", value), ("upstream", 0.5 if number % 10 == 0 else value)):
            row = {"id": name, "scoring": kind, "metric": "bleu1", "value": told, "status": "scored", "reason": ""}
            scores.append(row)
    for name, rows in (("manifest", samples), ("predictions", answers), ("scores", scores)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    metric = {"metric": "bleu1", "direction": "higher", "worst": 0.0, "micro": {"value": 0.75}}
    metrics = [{**metric, "scoring": kind} for kind in ("corrected", "upstream")]
    summary = {"schema": 1, "tasks": {"vqa_open": {"primary": "bleu1", "metrics": metrics}}}
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return run
