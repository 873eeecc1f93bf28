"""Retrieval through the engine: stored embeddings, chance, failed samples, embeddings from a file."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import m3dbench as library
from m3dbench.adapter import Adapter, Query
from m3dbench.data.prediction import Prediction
from m3dbench.metrics.ranking import text_key
from m3dbench.runs.engine import Settings, open_data, run_task
from m3dbench.runs.folder import RunFolder
from m3dbench.runs.summary import TaskSummary
from m3dbench.tasks.retrieval import Retrieval

Command = Callable[..., subprocess.CompletedProcess[str]]


def micro(run: Path, metric: str, scoring: str = "corrected") -> dict[str, Any]:
    rows = json.loads((run / "summary.json").read_text())["tasks"]["retrieval"]["metrics"]
    (found,) = [row["micro"] for row in rows if (row["metric"], row["scoring"]) == (metric, scoring)]
    return dict(found)


@pytest.mark.parametrize("pool", [["--test-set", "test100"], ["--limit", "7"]])
def test_one_embedding_for_all_scores_exactly_chance(
    m3dbench: Command, phantom: Path, tmp_path: Path, pool: list[str]
) -> None:
    out = tmp_path / "blind"
    m3dbench("run", "--model", "blind", "--task", "retrieval", "--data", phantom, "--out", out, *pool)
    for search in ("i2t", "t2i"):
        for metric in ("recall@1", "recall@5", "recall@10", "mrr", "median_rank"):
            found = micro(out, f"{metric}_{search}")
            assert found["value"] == pytest.approx(found["chance"], abs=1e-12)
    texts = [text_key(text) for text in library.load_run(out).samples().reference_text]
    sizes = Counter(texts)
    assert len(sizes) < len(texts)
    expected = np.mean([sizes[text] / len(texts) for text in texts])
    assert micro(out, "recall@1_i2t")["value"] == pytest.approx(expected)
    if len(texts) < 10:
        assert micro(out, "recall@10_i2t")["value"] == 1.0
        assert micro(out, "recall@10_i2t", "upstream")["n_unscored"] == len(texts)


def test_embeddings_are_stored_and_can_be_replayed(m3dbench: Command, phantom: Path, tmp_path: Path) -> None:
    first, again = tmp_path / "random", tmp_path / "again"
    m3dbench("run", "--model", "random", "--task", "retrieval", "--data", phantom, "--out", first)
    run = library.load_run(first)
    ids = list(run.samples().id)
    stored = np.stack([run.embedding("retrieval", sample) for sample in ids])
    assert stored.shape == (len(ids), 2, 64)
    file = tmp_path / "embeddings.npz"
    np.savez(file, id=np.asarray(ids), image=stored[:, 0], text=stored[:, 1])
    call = ["run", "--model", "replay", "--model-option", f"file={file}", "--data", phantom]
    m3dbench(*call, "--out", again)
    for name in ("scores.jsonl", "predictions.jsonl", "embeddings/00000.tar"):
        assert (first / "retrieval" / name).read_bytes() == (again / "retrieval" / name).read_bytes()
    np.savez(file, id=np.asarray(ids), image=stored[:, 0])
    assert "text" in m3dbench(*call, "--out", tmp_path / "third", code=2).stderr


def test_score_says_where_embeddings_go(m3dbench: Command, tmp_path: Path) -> None:
    answers = tmp_path / "a.jsonl"
    answers.write_text('{"id": "1", "prediction": "x"}\n')
    told = m3dbench("score", answers, "--task", "retrieval", "--out", tmp_path / "r", code=2).stderr
    assert "replay" in told


class Scripted(Adapter):
    """A direction of its own for every sample, but for those whose answer the test sets."""

    name = "scripted"
    version = "1"
    tasks = frozenset({"retrieval"})
    looks = False

    def __init__(self, answers: dict[int, dict[str, Any]]) -> None:
        self.answers = answers
        self.seen: list[str] = []

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        number = len(self.seen)
        self.seen += [query.id for query in queries]
        vector = np.eye(64)[number]
        values: dict[str, Any] = {"image_embedding": vector, "text_embedding": vector}
        return [Prediction(query.id, **{**values, **self.answers.get(number, {})}) for query in queries]


def scripted(phantom: Path, out: Path, answers: dict[int, dict[str, Any]]) -> tuple[TaskSummary, list[dict[str, Any]]]:
    run = RunFolder.create(out)
    summary = run_task(Retrieval(), Scripted(answers), open_data(phantom), run, Settings())
    rows = [json.loads(line) for line in (out / "retrieval" / "predictions.jsonl").read_text().splitlines()]
    return summary, rows


def test_a_failed_sample_is_worst_as_a_query_and_in_nobody_s_way(phantom: Path, tmp_path: Path) -> None:
    nobody = np.ones(64)
    summary, _ = scripted(
        phantom,
        tmp_path / "r",
        {
            0: {"status": "error", "reason": "out of memory", "image_embedding": nobody, "text_embedding": nobody},
            1: {"status": "refused", "reason": "no"},
        },
    )
    count = summary.samples
    for name in ("recall@1_i2t", "mrr_t2i"):
        metric = summary.metric(name)
        assert metric is not None
        assert (metric.micro.n_planned, metric.micro.n_failed) == (count, 2)
        assert metric.micro.value == pytest.approx((count - 2) / count)
        assert metric.micro.scored_value == 1.0


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"image_embedding": None}, "no image embedding"),
        ({"text_embedding": np.zeros(64)}, "zero or not finite"),
        ({"text_embedding": np.full(64, np.inf)}, "zero or not finite"),
        ({"text_embedding": np.ones(5)}, "64 numbers and a text embedding of 5"),
        ({"image_embedding": np.ones(5), "text_embedding": np.ones(5)}, "of 64 before"),
        ({"image_embedding": np.ones((1, 1, 64))}, "expected 1-D floats or"),
        ({"image_embedding": np.ones((0, 64))}, "expected 1-D floats or"),
        ({"image_embedding": np.eye(2, 64)[[0, 0, 1]] - np.eye(64)[0]}, "zero or not finite"),
        ({"text_embedding": np.ones((1, 64))}, "text embedding of shape (1, 64)"),
    ],
)
def test_an_unusable_embedding_is_an_error_of_its_sample(
    phantom: Path, tmp_path: Path, answer: dict[str, Any], reason: str
) -> None:
    _, rows = scripted(phantom, tmp_path / "r", {2: answer})
    assert [row["status"] for row in rows].count("error") == 1
    assert reason in rows[2]["reason"]


def test_a_volume_counts_with_its_most_similar_view(phantom: Path, tmp_path: Path) -> None:
    own = np.eye(64)
    views = {number: {"image_embedding": np.stack([-own[63], own[number], own[62]])} for number in (0, 1, 2)}
    plain, _ = scripted(phantom, tmp_path / "plain", {})
    several, rows = scripted(phantom, tmp_path / "several", views)
    assert [row["embedding"]["shape"][0] for row in rows[:4]] == [4, 4, 4, 2]
    for name in ("recall@1_i2t", "recall@1_t2i", "mrr_i2t"):
        assert several.metric(name).micro.value == plain.metric(name).micro.value == 1.0  # type: ignore[union-attr]


def test_a_changed_embedding_is_unscored(phantom: Path, tmp_path: Path) -> None:
    summary, rows = scripted(phantom, tmp_path / "r", {})
    shard = tmp_path / "r" / "retrieval" / "embeddings" / rows[0]["embedding"]["shard"]
    content = bytearray(shard.read_bytes())
    content[rows[0]["embedding"]["offset"] + 200] ^= 1
    shard.write_bytes(content)
    again = run_task(Retrieval(), Scripted({}), open_data(phantom), RunFolder(tmp_path / "r"), Settings())
    metric = again.metric("recall@1_i2t")
    assert metric is not None
    assert (metric.micro.n_unscored, metric.micro.n_scored) == (1, summary.samples - 1)
    assert "checksum" in next(iter(metric.unscored_reasons))
