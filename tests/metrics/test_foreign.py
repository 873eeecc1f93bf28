"""Metrics whose scorer is a module or package of others, and this project's own ``evaluate`` modules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import m3dbench
from m3dbench import registry
from m3dbench.errors import UserError
from m3dbench.evaluate_modules import NAMES, module_path
from m3dbench.metrics.offline import offline
from m3dbench.metrics.pairs import TextPair
from m3dbench.metrics.text.clinical import green, radgraph_f1, ratescore

SCRIPT = """
import evaluate
from datasets import Features, Value


class Length(evaluate.Metric):
    def _info(self):
        features = Features({"predictions": Value("string"), "references": Value("string")})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references, scale=1):
        values = [scale * min(len(p), len(r)) / max(len(p), len(r)) for p, r in zip(predictions, references)]
        return {"ratio": values, "count": len(values)}
"""


@pytest.fixture(scope="module", autouse=True)
def _own_modules(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One folder for all: ``evaluate`` imports its copies as one package a process."""
    evaluate = pytest.importorskip("evaluate")
    evaluate.config.HF_MODULES_CACHE = str(tmp_path_factory.mktemp("modules"))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    folder = tmp_path / "my-length.v1" / "length"
    folder.mkdir(parents=True)
    (folder / "length.py").write_text(SCRIPT)
    return folder


def judged(metric: Any, prediction: str, reference: str) -> Any:
    (outcome,) = metric.outcomes([TextPair(prediction, reference)])
    return outcome


def test_a_module_joins_by_its_path(script: Path) -> None:
    metric = registry.create("metrics", f"evaluate:{script}", {"key": "ratio"})
    assert metric.name == "evaluate:length"
    assert judged(metric, "ab", "abcd").statistics == (0.5, 1.0)
    assert judged(metric, "", "abcd").statistics == (0.0, 1.0)
    assert judged(metric, "ab", " ").status == "not_applicable"
    scaled = registry.create("metrics", f"evaluate:{script}", {"key": "ratio", "arguments": '{"scale": 5}'})
    assert scaled.signature != metric.signature
    assert "outside 0 to 1" in judged(scaled, "ab", "ab").reason


def test_several_values_ask_for_a_key(script: Path) -> None:
    outcome = judged(registry.create("metrics", f"evaluate:{script}"), "ab", "ab")
    assert outcome.status == "unscored"
    assert "ratio, count" in outcome.reason


def test_a_module_that_is_not_here_is_unscored_and_never_fetched() -> None:
    outcome = judged(registry.create("metrics", "evaluate:no_such_module"), "a", "a")
    assert outcome.status == "unscored"
    assert "no_such_module" in outcome.reason
    assert "nothing is downloaded" in outcome.reason


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evaluate", None)
    assert "m3dbench[evaluate]" in judged(registry.create("metrics", "evaluate:bleu"), "a", "a").reason


def test_a_family_is_no_way_around_the_names() -> None:
    with pytest.raises(UserError, match="there is no metric"):
        registry.load("metrics", "bleu1:x")
    with pytest.raises(UserError, match="needs the option 'name'"):
        registry.create("metrics", "evaluate")


@pytest.mark.parametrize(
    ("metric", "package"), [(radgraph_f1, "radgraph"), (ratescore, "RaTEScore"), (green, "green_score")]
)
def test_a_clinical_metric_says_what_it_lacks(metric: Any, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    outcome = judged(metric(), "a", "a")
    assert outcome.status == "unscored"
    assert package in outcome.reason
    assert "not installed" in outcome.reason


OFFLINE = """
import socket
from m3dbench.metrics.offline import offline
for inside in (True, False):
    try:
        if inside:
            with offline():
                socket.create_connection(("127.0.0.1", 9), timeout=1)
        else:
            socket.create_connection(("127.0.0.1", 1), timeout=1)
    except OSError as error:
        print(type(error).__name__, error)
"""


def test_offline_closes_the_network_to_this_thread() -> None:
    done = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True, check=True)
    closed, reached = done.stdout.splitlines()
    assert "not used in scoring" in closed
    assert reached.startswith("ConnectionRefusedError")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "bertscore_f1"])
def test_our_modules_give_what_the_metrics_give(name: str) -> None:
    evaluate = pytest.importorskip("evaluate")
    pairs = [("Axial plane", "axial plane"), ("the liver", "a liver"), ("", "x"), ("y", "")]
    with offline():
        module = evaluate.load(str(module_path(name)))
    result = module.compute(predictions=[pair[0] for pair in pairs], references=[pair[1] for pair in pairs])
    metric = registry.create("metrics", name)
    expected = [
        None if outcome.statistics is None else metric.value(outcome.statistics)
        for outcome in metric.outcomes([TextPair(*pair) for pair in pairs])
    ]
    assert result["values"] == expected
    assert result[name] == pytest.approx(sum(value for value in expected if value is not None) / 3)
    assert result["signature"] == metric.signature


def test_a_module_says_what_it_lacks() -> None:
    module = m3dbench.evaluate_module("bertscore_f1")
    with pytest.raises(UserError, match="BERTScore encoder not found"):
        module.compute(predictions=["a"], references=["a"], model="no-such-encoder", layer=1)
    with pytest.raises(UserError, match="choose one of"):
        m3dbench.evaluate_module("bleu9")
