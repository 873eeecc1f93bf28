"""``--prompt-variants``: every sample in several wordings, and how far the values lie apart."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_checkout import make_checkout
from tests_support import write_jsonl

from m3dbench import registry
from m3dbench.adapter import Adapter, Context, Query
from m3dbench.data.manifest import samples_of
from m3dbench.data.prediction import Prediction
from m3dbench.data.sample import Sample
from m3dbench.data.variants import variant_count
from m3dbench.runs.engine import Settings, open_data, run_task
from m3dbench.runs.folder import RunFolder
from m3dbench.runs.summary import TaskSummary
from m3dbench.task import Asking
from m3dbench.upstream.checkout import read_checkout
from m3dbench.upstream.wordings import UpstreamWordings
from m3dbench.wording import Wordings

Command = Callable[..., subprocess.CompletedProcess[str]]


class Fussy(Adapter):
    """Knows every box when asked with one wording, and says that nothing is there otherwise."""

    name = "fussy"
    version = "1.0"
    tasks = frozenset({"rec"})
    looks = False
    reads_reference = True

    def prepare(self, context: Context) -> None:
        assert context.known is not None
        self._known = context.known

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        return [self._answer(query) for query in queries]

    def _answer(self, query: Query) -> Prediction:
        box = self._known(query.id).reference.box if "Locate" in query.request.wording else None
        return Prediction(query.id, box=box, absent=box is None)


def run(phantom: Path, out: Path, variants: int, **settings: Any) -> TaskSummary:
    folder = RunFolder.create(out)
    folder.begin()
    chosen = Settings(variants=variants, scorings=("corrected",), **settings)
    return run_task(registry.create("tasks", "rec"), Fussy(), open_data(phantom), folder, chosen)


def manifest(out: Path) -> list[Sample]:
    return [Sample.from_json(json.loads(line)) for line in (out / "rec" / "manifest.jsonl").read_text().splitlines()]


def test_the_spread_is_that_of_the_values_per_wording(phantom: Path, tmp_path: Path) -> None:
    summary = run(phantom, tmp_path / "run", 3)
    rows = manifest(tmp_path / "run")
    present = [sample for sample in rows if sample.reference.present]
    sensitive = summary.metric("presence_sensitivity")
    assert sensitive is not None
    assert sensitive.spread is not None
    # By name there are three wordings, one of them understood; by description two, none understood.
    share = sum(sample.strata["asked_by"] == "name" for sample in present) / len(present)
    assert sorted(value for value in sensitive.spread.values.values() if value is not None) == pytest.approx(
        [0, 0, share]
    )
    assert (sensitive.spread.minimum, sensitive.spread.maximum) == (0, pytest.approx(share))
    assert sensitive.spread.sd == pytest.approx(statistics.stdev([0, 0, share]))
    assert sensitive.micro.value == pytest.approx(statistics.mean([0, 0, share]))
    assert set(sensitive.strata["variant"]) == {"1", "2", "3"}


def test_variants_of_a_case_are_one_unit(phantom: Path, tmp_path: Path) -> None:
    plain, varied = run(phantom, tmp_path / "plain", 1), run(phantom, tmp_path / "varied", 3)
    assert varied.cases == plain.cases
    assert varied.samples == 3 * plain.samples
    one, many = plain.metric("iou"), varied.metric("iou")
    assert one is not None
    assert many is not None
    assert one.spread is None
    assert one.micro.n_cases == many.micro.n_cases


def test_every_variant_covers_every_sample_under_ids_of_its_own(phantom: Path, tmp_path: Path) -> None:
    run(phantom, tmp_path / "run", 3, limit=4)
    rows = manifest(tmp_path / "run")
    assert len(rows) == 12
    assert len({sample.id for sample in rows}) == 12
    assert len({sample.base for sample in rows}) == 4
    for base in {sample.base for sample in rows}:
        group = [sample for sample in rows if sample.base == base]
        assert [sample.id for sample in group] == [f"{base}~v{number}" for number in (1, 2, 3)]
        assert len({json.dumps(sample.request.information()) for sample in group}) == 1
        assert len({sample.reference for sample in group}) == 1
        asked = {sample.request.wording for sample in group}
        assert len(asked) == (3 if group[0].strata["asked_by"] == "name" else 2)


def test_a_variant_is_one_wording_for_all_samples_and_follows_the_seed(phantom: Path) -> None:
    source = open_data(phantom)
    task = registry.create("tasks", "report_generation")

    def wordings(seed: int) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        ask = Asking(seed, lambda _: pytest.fail("no mask is needed"))
        for sample in samples_of(task, source, "test", ask, None, 3):
            found.setdefault(sample.strata["variant"], set()).add(sample.request.wording)
        return found

    orders = {json.dumps({key: sorted(value) for key, value in wordings(seed).items()}) for seed in range(20)}
    assert len(orders) > 1
    assert all(len(asked) == 1 for asked in wordings(0).values())
    assert wordings(0) == wordings(0)


def test_a_task_has_no_more_variants_than_different_sentences(tmp_path: Path) -> None:
    imported = UpstreamWordings(read_checkout(make_checkout(tmp_path)))
    counts = {
        name: tuple(variant_count(registry.create("tasks", name), words, 9) for words in (Wordings(), imported))
        for name in ("vqa_closed", "vqa_open", "report_generation", "rec", "seg_semantic")
    }
    assert counts == {
        "vqa_closed": (1, 1),
        "vqa_open": (1, 1),
        "report_generation": (3, 3),  # one of the four imported sentences stands there twice
        "rec": (3, 2),
        "seg_semantic": (3, 2),
    }


def test_the_terminal_shows_the_spread_and_tasks_with_one_wording(
    m3dbench: Command, phantom: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    call = ["run", "--model", "random", "--task", "vqa_closed,rec", "--data", phantom, "--out", out]
    done = m3dbench(*call, "--prompt-variants", "3")
    assert "over 3 wordings" in done.stdout
    assert "vqa_closed has only one wording" in done.stdout + done.stderr
    metrics = json.loads((out / "summary.json").read_text())["tasks"]["rec"]["metrics"]
    spread = next(item["spread"] for item in metrics if item["metric"] == "iou" and item["scoring"] == "corrected")
    assert spread["minimum"] <= spread["maximum"]
    assert set(spread["values"]) == {"1", "2", "3"}
    given = [json.loads(line) for line in (out / "rec" / "predictions.jsonl").read_text().splitlines()]
    answers = write_jsonl(
        tmp_path / "answers.jsonl", [{"id": row["id"], "prediction": row.get("box")} for row in given]
    )
    scored = m3dbench(
        "score", answers, "--task", "rec", "--data", phantom, "--prompt-variants", "3", "--out", tmp_path / "scored"
    )
    assert "unknown" not in scored.stdout + scored.stderr
    again = json.loads((tmp_path / "scored" / "summary.json").read_text())["tasks"]["rec"]["metrics"]
    assert (
        next(item for item in again if item["metric"] == "iou" and item["scoring"] == "corrected")["spread"] == spread
    )
    closed = json.loads((out / "summary.json").read_text())["tasks"]["vqa_closed"]
    assert all(item["spread"] is None for item in closed["metrics"])
