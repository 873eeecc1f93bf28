"""``m3dbench compare``, ``gate`` and ``power`` on scored answers, and the CI action's own steps."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from tests_support import write_jsonl

Command = Callable[..., subprocess.CompletedProcess[str]]
ACTION = Path(__file__).parents[2] / ".github" / "actions" / "gate" / "action.yml"
CHOICES = ["liver", "spleen", "kidney", "aorta"]


def answers(path: Path, share: float, *, seed: int = 0, cases: int = 60, text: str = "") -> Path:
    """Six questions a case, each answered rightly with a chance of ``share`` that the same seed decides alike."""
    rows = []
    for case in range(cases):
        for question in range(6):
            luck = random.Random(f"{seed}/{case}/{question}").random()
            right = "ABCD"[(case + question) % 4]
            wrong = "ABCD"[(case + question + 1) % 4]
            rows.append(
                {
                    "id": f"{case}#{question}",
                    "case": str(case),
                    "prediction": f"{right if luck < share else wrong}.{text}",
                    "reference": right,
                    "choices": CHOICES,
                    "strata": {"question_type": str(question % 2)},
                }
            )
    return write_jsonl(path, rows)


@pytest.fixture(scope="module")
def runs(m3dbench: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scored answers: base, one like it in other words, a worse one, one of fewer samples."""
    place = tmp_path_factory.mktemp("gated")
    for name, share, text, cases in (
        ("base", 0.7, "", 60),
        ("reworded", 0.7, " I think", 60),
        ("worse", 0.5, "", 60),
        ("few", 0.7, "", 12),
    ):
        file = answers(place / f"{name}.jsonl", share, text=text, cases=cases)
        m3dbench("score", file, "--task", "vqa_closed", "--out", place / name)
    return place


def compared(m3dbench: Command, place: Path, *arguments: str | Path, code: int = 0) -> dict:
    m3dbench("compare", *arguments, "--json", place, code=code)
    return json.loads(place.read_text())


def test_differences_are_paired_by_sample(runs: Path, m3dbench: Command, tmp_path: Path) -> None:
    found = compared(m3dbench, tmp_path / "c.json", runs / "base", runs / "worse")["comparisons"][0]["tasks"][0]
    accuracy = found["metrics"][0]
    assert accuracy["metric"] == "accuracy"
    assert accuracy["difference"] == pytest.approx(accuracy["candidate"] - accuracy["base"])
    assert accuracy["wins"] == 0
    assert accuracy["losses"] == len(found["flips"])
    assert accuracy["losses"] + accuracy["ties"] == accuracy["n_samples"] == 360
    assert accuracy["difference"] == pytest.approx(-accuracy["losses"] / 360)
    assert accuracy["interval"]["low"] < accuracy["difference"] < accuracy["interval"]["high"] < 0
    assert accuracy["p_worse"] < 0.001
    assert accuracy["mcnemar"] is None
    strata = found["strata"]["question_type"]
    assert sum(part["losses"] for part in strata.values()) == accuracy["losses"]


def test_one_question_a_case_has_mcnemar_too(m3dbench: Command, tmp_path: Path) -> None:
    for name, share in (("one", 0.8), ("two", 0.6)):
        rows = [
            {**json.loads(line), "case": str(number)}
            for number, line in enumerate(answers(tmp_path / "a.jsonl", share, cases=10).read_text().splitlines())
        ]
        m3dbench("score", write_jsonl(tmp_path / "b.jsonl", rows), "--task", "vqa_closed", "--out", tmp_path / name)
    found = compared(m3dbench, tmp_path / "c.json", tmp_path / "one", tmp_path / "two")["comparisons"][0]["tasks"][0]
    accuracy = found["metrics"][0]
    assert accuracy["mcnemar"] == pytest.approx(2 * 0.5 ** accuracy["losses"])
    assert accuracy["p_two_sided"] == pytest.approx(accuracy["mcnemar"], rel=0.1)


def test_runs_on_other_samples_are_refused_and_the_field_named(runs: Path, m3dbench: Command, tmp_path: Path) -> None:
    done = m3dbench("compare", runs / "base", runs / "few", code=3)
    assert "differ in manifest" in done.stdout
    assert "--allow manifest --allow requests" in done.stdout
    found = compared(
        m3dbench, tmp_path / "c.json", runs / "base", runs / "few", "--allow", "manifest", "--allow", "requests"
    )
    task = found["comparisons"][0]["tasks"][0]
    assert "manifest" in task["allowed"]
    assert task["metrics"][0]["n_samples"] == 72
    assert task["metrics"][0]["left_out"] == 360 - 72

    allowed = ("--allow", "manifest", "--allow", "requests")
    found = compared(m3dbench, tmp_path / "c.json", runs / "few", runs / "base", *allowed)
    (accuracy, *_) = found["comparisons"][0]["tasks"][0]["metrics"]
    assert (accuracy["n_samples"], accuracy["left_out"]) == (72, 360 - 72)


@pytest.mark.parametrize(
    ("candidate", "verdict", "code"),
    [("base", "pass", 0), ("reworded", "pass", 0), ("worse", "regression", 1), ("few", "not comparable", 3)],
)
def test_the_gate_ends_in_a_verdict(
    runs: Path, m3dbench: Command, tmp_path: Path, candidate: str, verdict: str, code: int
) -> None:
    gate = tmp_path / "gate.toml"
    m3dbench("gate", "init", runs / "base", "--out", gate)
    found = compared(m3dbench, tmp_path / "c.json", runs / "base", runs / candidate, "--gate", gate, code=code)
    assert found["verdict"] == verdict


def test_too_few_cases_to_tell_are_inconclusive_and_never_a_pass(m3dbench: Command, runs: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate.toml"
    gate.write_text("[tasks.vqa_closed.metrics.accuracy]\nmargin = 0.02\n")
    found = compared(m3dbench, tmp_path / "c.json", runs / "base", runs / "reworded", "--gate", gate, code=3)
    assert found["verdict"] == "inconclusive"
    (line,) = [check for check in found["comparisons"][0]["checks"] if check["verdict"] == "inconclusive"]
    assert "too few" in line["why"]
    gate.write_text("[tasks.rec.metrics.iou]\nmargin = 0.1\n")
    found = compared(m3dbench, tmp_path / "c.json", runs / "base", runs / "reworded", "--gate", gate, code=3)
    assert found["verdict"] == "not comparable"


def test_floors_rates_and_reports(m3dbench: Command, runs: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate.toml"
    gate.write_text("[tasks.vqa_closed.metrics.accuracy]\nmargin = 0.3\nfloor = 0.6\n")
    m3dbench(
        "compare", runs / "base", runs / "base", runs / "worse", "--gate", gate,
        "--markdown", tmp_path / "c.md", "--junit", tmp_path / "j.xml", code=1,
    )  # fmt: skip
    suites = ElementTree.parse(tmp_path / "j.xml").getroot()
    failures = [
        (suite.get("name"), case.get("name")) for suite in suites for case in suite if case.find("failure") is not None
    ]
    assert failures == [("worse", "accuracy floor")]
    assert "❌ regression" in (tmp_path / "c.md").read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tasks = 3", "tasks"),
        ("[tasks.vqa_closed.metrics.accuracy]\nmargin = -1", "margin"),
        ("[tasks.vqa_closed.metrics.accuracy]\nmargin = inf", "margin"),
        ("[tasks.vqa_closed.metrics.accuracy]\nfloor = nan", "floor"),
        ("[tasks.vqa_closed.metrics.accuracy]\nmargn = 1", "margn"),
        ("[tasks.vqa_closed", "TOML"),
        ("alpha = 0.05", "tasks"),
    ],
)
def test_a_bad_gate_is_named(m3dbench: Command, runs: Path, tmp_path: Path, text: str, told: str) -> None:
    gate = tmp_path / "gate.toml"
    gate.write_text(text)
    done = m3dbench("compare", runs / "base", runs / "base", "--gate", gate, code=2)
    assert told in done.stderr
    assert str(gate) in done.stderr


def test_power_says_how_many_cases_it_takes(m3dbench: Command, runs: Path) -> None:
    small = m3dbench("power", runs / "base", runs / "worse", "--difference", "0.02").stdout
    large = m3dbench("power", runs / "base", runs / "worse", "--difference", "0.1").stdout
    needed = [
        int(text.split()[-1].replace(",", ""))
        for out in (small, large)
        for text in out.splitlines()
        if "accuracy" in text
    ]
    assert needed[0] > 10 * needed[1] > 0
    tiny = m3dbench("power", runs / "base", runs / "worse", "--difference", "1e-6").stdout
    assert ">10,000,000" in tiny
    same = m3dbench("power", runs / "base", runs / "base", "--difference", "0.1", code=3).stdout
    assert "nothing about spread" in same


def test_intervals_state_their_level_and_overrides_are_written_down(
    m3dbench: Command, runs: Path, tmp_path: Path
) -> None:
    gate, report = tmp_path / "gate.toml", tmp_path / "c.md"
    gate.write_text("alpha = 0.05\n[tasks.vqa_closed.metrics.accuracy]\nmargin = 0.3\n")
    done = m3dbench("compare", runs / "base", runs / "worse", "--markdown", report)
    assert "95% interval" in done.stdout
    assert "95% interval" in report.read_text()
    allowed = ("--allow", "manifest", "--allow", "requests")
    done = m3dbench("compare", runs / "few", runs / "base", *allowed, "--gate", gate, "--markdown", report, code=3)
    assert "90% interval" in done.stdout
    assert "90% interval" in report.read_text()
    assert "Compared although manifest differs (--allow)." in report.read_text()
    assert "72 of 360" in done.stdout


def test_a_metric_of_which_less_is_better_is_gated_the_other_way(
    m3dbench: Command, phantom: Path, tmp_path: Path
) -> None:
    for model in ("oracle", "blind"):
        m3dbench("run", "--model", model, "--task", "seg_semantic", "--data", phantom, "--limit", "60",
                 "--out", tmp_path / model)  # fmt: skip
    gate = tmp_path / "gate.toml"
    gate.write_text("[tasks.seg_semantic.metrics.hd95]\nmargin = 2\nfloor = 5\n")
    for base, candidate, verdict, code in (("oracle", "blind", "regression", 1), ("blind", "oracle", "pass", 0)):
        found = compared(
            m3dbench, tmp_path / "c.json", tmp_path / base, tmp_path / candidate, "--gate", gate, code=code
        )
        checks = {check["name"]: check for check in found["comparisons"][0]["checks"]}
        assert checks["hd95"]["verdict"] == checks["hd95 floor"]["verdict"] == verdict
        assert "at most 5" in checks["hd95 floor"]["required"]


def test_a_base_with_gaps_passes_the_gate_made_from_it(m3dbench: Command, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in answers(tmp_path / "a.jsonl", 0.7, cases=20).read_text().splitlines()]
    for row in rows[::10]:
        row["prediction"] = None
    m3dbench("score", write_jsonl(tmp_path / "b.jsonl", rows), "--task", "vqa_closed", "--out", tmp_path / "gaps")
    gate = tmp_path / "new" / "gate.toml"
    m3dbench("gate", "init", tmp_path / "gaps", "--out", gate)
    assert "max_error_rate = 0.1" in gate.read_text()
    assert (
        compared(m3dbench, tmp_path / "c.json", tmp_path / "gaps", tmp_path / "gaps", "--gate", gate)["verdict"]
        == "pass"
    )


def test_what_is_not_finished_or_not_whole_is_named(m3dbench: Command, runs: Path, tmp_path: Path) -> None:
    cut = shutil.copytree(runs / "base", tmp_path / "cut")
    lines = (cut / "scores.jsonl").read_text().splitlines(keepends=True)
    (cut / "scores.jsonl").write_text("".join(lines[:30]))
    for call in (
        ("compare", cut, runs / "base"),
        ("compare", runs / "base", cut),
        ("power", cut, runs / "base", "--difference", "0.1"),
    ):
        done = m3dbench(*call, code=2)
        assert "do not follow the manifest" in done.stderr
        assert str(cut) in done.stderr.replace("\n", "")
    (cut / "scores.jsonl").write_text("".join(lines).replace('"value":1.0', '"value":0.0'))
    gate = tmp_path / "gate.toml"
    gate.write_text("[tasks.vqa_closed.metrics.accuracy]\nmargin = 0.02\n")
    m3dbench("compare", runs / "base", cut, "--gate", gate, code=1)  # the same predictions, scored otherwise
    about = json.loads((cut / "run.json").read_text())
    about["tasks"]["vqa_closed"]["facts"]["comparable"]["splits"] = {"test": "drawn here"}
    (cut / "run.json").write_text(json.dumps(about))
    assert "differ in splits" in m3dbench("compare", runs / "base", cut, code=3).stdout
    about["tasks"]["vqa_closed"]["facts"]["comparable"].pop("splits")
    (cut / "run.json").write_text(json.dumps(about, separators=(", ", ": ")))
    (cut / "scores.jsonl").unlink()
    assert "scores.jsonl" in m3dbench("compare", runs / "base", cut, code=2).stderr

    (cut / "run.json").write_text((cut / "run.json").read_text().replace('"complete"', '"running"'))
    (cut / "summary.json").unlink()
    assert "has not finished" in m3dbench("compare", runs / "base", cut, code=3).stdout
    assert "cut: no finished task" in m3dbench("published", cut, "--table", "4").stdout
    assert "vqa_closed: not finished" in m3dbench("gate", "init", cut, "--out", tmp_path / "g.toml", code=3).stderr


def test_runs_of_one_name_are_told_apart_and_tasks_without_rules_are_refused(
    m3dbench: Command, runs: Path, tmp_path: Path
) -> None:
    for release, run in (("1.0", "base"), ("1.1", "worse")):
        shutil.copytree(runs / run, tmp_path / release / "run")
    done = m3dbench("compare", tmp_path / "1.0" / "run", tmp_path / "1.1" / "run")
    assert "1.1/run against 1.0/run" in done.stdout
    gate = tmp_path / "gate.toml"
    gate.write_text("[tasks.vqa_closed.metrics.acuracy]\n")
    done = m3dbench("compare", runs / "base", runs / "base", "--gate", gate, "--task", "rec", code=2)
    assert "the gate states nothing" in done.stderr
    done = m3dbench("compare", runs / "base", runs / "base", "--gate", gate, code=3)
    assert "no such metric" in done.stdout
    done = m3dbench("compare", runs / "base", runs / "base", "--json", tmp_path, code=2)
    assert "is a directory" in done.stderr
    done = m3dbench("compare", runs / "base", runs / "base", "--json", gate / "c.json", code=2)
    assert str(gate) in done.stderr.replace("\n", "")


@pytest.mark.parametrize(("candidate", "code", "verdict"), [("reworded", 0, "pass"), ("worse", 1, "regression")])
def test_the_steps_of_the_ci_action_gate_a_release(
    runs: Path, environment: dict[str, str], tmp_path: Path, candidate: str, code: int, verdict: str
) -> None:
    action = yaml.safe_load(ACTION.read_text())
    inputs = {name: str(spec.get("default", "")) for name, spec in action["inputs"].items()}
    inputs |= {"base": str(runs / "base"), "candidate": str(runs / candidate)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    runner = {
        **environment,
        "PATH": path,
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
    }
    status = 0
    for step in action["runs"]["steps"]:
        assert step["shell"] == "bash"
        given = {
            name: inputs[value.removeprefix("${{ inputs.").removesuffix(" }}")] for name, value in step["env"].items()
        }
        script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        status = subprocess.run(script, cwd=tmp_path, env={**runner, **given}, capture_output=True).returncode
        if status:
            break
    assert status == code
    assert f"verdict={verdict}" in (tmp_path / "output").read_text()
    assert "| vqa_closed | accuracy |" in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "m3dbench-gate" / "junit.xml").is_file()
