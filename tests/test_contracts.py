"""The contracts of the design, sentence by sentence, on an adapter that watches the engine at work."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m3dbench import registry
from m3dbench.adapter import Adapter, Context, Query
from m3dbench.data.manifest import samples_of, write_manifest
from m3dbench.data.prediction import ArrayRecord, Prediction, StoredPrediction
from m3dbench.data.sample import FileRef, MaskRef, Reference, Request, Sample
from m3dbench.metrics.box_convention import M3D, BoxConvention
from m3dbench.runs.engine import Settings, open_data, run_task
from m3dbench.runs.folder import RunFolder
from m3dbench.runs.masks import read_mask
from m3dbench.task import Asking, Task

TEXT = st.text(max_size=12)
FRACTION = st.floats(0, 1)
BOX = st.tuples(FRACTION, FRACTION, FRACTION, FRACTION, FRACTION, FRACTION)


class Watcher(Adapter):
    """Answers by a function; notes what it was asked and what lay on disk then."""

    name = "watcher"
    version = "1.0"
    tasks = frozenset({"rec", "vqa_open", "seg_semantic", "vqa_closed"})

    def __init__(
        self, answer: Any, *, looks: bool = False, boxes: BoxConvention | None = None, journal: Path | None = None
    ) -> None:
        self.answer = answer
        self.looks = looks  # type: ignore[misc]
        self.boxes = boxes or BoxConvention()  # type: ignore[misc]
        self.batch_size = 3
        self.seen: list[Query] = []
        self.journal = journal
        self.journalled: list[int] = []

    def prepare(self, context: Context) -> None:
        self.context = context

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        self.seen += queries
        if self.journal is not None:
            self.journalled.append(len(self.journal.read_text().splitlines()) if self.journal.exists() else 0)
        return [self.answer(query) for query in queries]


def task(name: str) -> Task[Any]:
    made: Task[Any] = registry.create("tasks", name)
    return made


def run(phantom: Path, out: Path, name: str, adapter: Adapter, **settings: Any) -> tuple[RunFolder, Any]:
    folder = RunFolder.create(out)
    folder.begin()
    return folder, run_task(task(name), adapter, open_data(phantom), folder, Settings(**settings))


def journal(out: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / name / "predictions.jsonl").read_text().splitlines()]


# Sample, Request, Prediction are values


@given(
    st.builds(
        Sample,
        id=TEXT,
        case=TEXT,
        request=st.builds(
            Request, kind=TEXT, target=TEXT, wording=TEXT, choices=st.dictionaries(TEXT, TEXT), box=st.none() | BOX
        ),
        reference=st.builds(
            Reference,
            text=TEXT,
            box=st.none() | BOX,
            names=st.lists(TEXT).map(tuple),
            present=st.none() | st.booleans(),
            mask=st.none() | st.builds(MaskRef, path=TEXT, digest=TEXT, label=st.none() | st.integers(0, 9)),
        ),
        strata=st.dictionaries(TEXT, TEXT),
        volume=st.none() | st.builds(FileRef, path=TEXT, digest=TEXT),
        base=TEXT,
    )
)
def test_a_sample_is_a_pure_value_that_survives_the_manifest(sample: Sample) -> None:
    assert Sample.from_json(json.loads(json.dumps(sample.to_json()))) == sample
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample.id = "other"  # type: ignore[misc]


def stored_array(dimensions: int) -> st.SearchStrategy[ArrayRecord]:
    shape = st.tuples(*[st.integers(1)] * dimensions)
    return st.builds(ArrayRecord, TEXT, st.integers(0), st.integers(0), TEXT, shape)


@given(
    st.builds(
        StoredPrediction,
        id=TEXT,
        status=st.sampled_from(["ok", "error", "refused"]),
        text=st.none() | TEXT,
        box=st.none() | BOX,
        mask=st.none() | stored_array(3),
        embedding=st.none() | stored_array(2),
        soft=st.none() | st.tuples(FRACTION, FRACTION),
        absent=st.booleans(),
        unparsed=st.booleans(),
        reason=TEXT,
        wording=TEXT,
        prompt_ids=st.lists(st.tuples(st.integers(0), st.integers(1))).map(tuple),
        notes=st.lists(TEXT).map(tuple),
    )
)
def test_a_prediction_survives_the_journal(prediction: StoredPrediction) -> None:
    assert StoredPrediction.from_json(json.loads(json.dumps(prediction.to_json()))) == prediction


# A request has a default wording fixed by seed and sample id


def test_the_wording_depends_on_seed_and_sample_id_alone(phantom: Path) -> None:
    source = open_data(phantom)

    def wordings(seed: int, only: list[str] | None) -> dict[str, str]:
        ask = Asking(seed, lambda ref: np.ones((1, 2, 2), dtype=np.bool_))
        return {
            sample.id: sample.request.wording for sample in samples_of(task("seg_semantic"), source, "test", ask, only)
        }

    whole = wordings(0, None)
    part = wordings(0, ["0012"])
    assert part.items() <= whole.items()
    assert len(set(whole.values())) > len({name.split("/")[0] for name in whole})
    assert wordings(1, None) != whole


def test_the_wording_is_not_information(phantom: Path, tmp_path: Path) -> None:
    def manifest(seed: int) -> Any:
        ask = Asking(seed, lambda ref: np.ones((1, 2, 2), dtype=np.bool_))
        samples = samples_of(task("report_generation"), open_data(phantom), "test", ask, None)
        return write_manifest(samples, tmp_path / f"{seed}.jsonl")

    one, other = manifest(0), manifest(1)
    assert one.digest != other.digest
    assert one.comparable == other.comparable
    assert one.information == other.information


# A volume is loaded only when an adapter asks; an adapter never sees a reference


def test_volumes_are_loaded_only_when_asked_for(phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from m3dbench.data import files

    loaded: list[str] = []
    original = files.load_volume
    monkeypatch.setattr(files, "load_volume", lambda root, ref: loaded.append(ref.path) or original(root, ref))
    run(phantom, tmp_path / "blindfolded", "vqa_open", Watcher(lambda query: Prediction(query.id, text="x")))
    assert loaded == []
    looking = Watcher(lambda query: Prediction(query.id, text=str(query.volume().shape)), looks=True)
    run(phantom, tmp_path / "looking", "vqa_open", looking)
    assert len(loaded) == len(set(loaded)) == len({query.id.split("#")[0] for query in looking.seen})
    assert {row["text"] for row in journal(tmp_path / "looking", "vqa_open")} == {str((1, *looking.seen[0].grid()))}


def test_a_query_holds_no_reference(phantom: Path, tmp_path: Path) -> None:
    watcher = Watcher(lambda query: Prediction(query.id, text="x"))
    run(phantom, tmp_path / "run", "vqa_open", watcher)
    assert watcher.context.known is None
    assert not {field.name for field in dataclasses.fields(Query)} & {"reference", "strata", "answer"}
    volume = watcher.seen[0].volume()
    with pytest.raises(ValueError, match="read-only"):
        volume[0, 0, 0, 0] = 1


# Predictions are in the journal the moment they exist, timing apart


def test_predictions_are_journalled_batch_by_batch(phantom: Path, tmp_path: Path) -> None:
    watcher = Watcher(
        lambda query: Prediction(query.id, text="x"), journal=tmp_path / "run" / "vqa_open" / "predictions.jsonl"
    )
    run(phantom, tmp_path / "run", "vqa_open", watcher, limit=10)
    assert watcher.journalled == [0, 3, 6, 9]
    assert all("seconds" not in row for row in journal(tmp_path / "run", "vqa_open"))
    assert len((tmp_path / "run" / "vqa_open" / "timings.jsonl").read_text().splitlines()) == 10


def test_one_failing_sample_does_not_take_its_batch_along(phantom: Path, tmp_path: Path) -> None:
    def moody(query: Query) -> Prediction:
        if query.id.endswith("#2"):
            raise RuntimeError("CUDA out of\nmemory")
        return Prediction(query.id, text="x", status="refused" if query.id.endswith("#3") else "ok")

    run(phantom, tmp_path / "run", "vqa_open", Watcher(moody), limit=12)
    rows = journal(tmp_path / "run", "vqa_open")
    assert {row["status"] for row in rows if row["id"].endswith("#2")} == {"error"}
    assert {row["reason"] for row in rows if row["id"].endswith("#2")} == {"RuntimeError: CUDA out of; memory"}
    assert {row["status"] for row in rows if row["id"].endswith("#3")} == {"refused"}
    assert {row["status"] for row in rows if row["id"].endswith("#1")} == {"ok"}


@pytest.mark.parametrize(
    "answer",
    [
        lambda query: Prediction("another id", text="x"),
        lambda query: Prediction(query.id, text="x", status="fine"),
        lambda query: Prediction(query.id),
    ],
)
def test_an_adapter_that_breaks_the_contract_gives_errors_not_scores(
    phantom: Path, tmp_path: Path, answer: Any
) -> None:
    _, summary = run(phantom, tmp_path / "run", "vqa_open", Watcher(answer), limit=4)
    assert summary.predictions["error"] == 4
    assert summary.metrics[0].micro.value == 0


# Box conventions are declared and converted once; masks are stored hard


@pytest.mark.parametrize(
    ("convention", "numbers", "text"),
    [
        (BoxConvention(), (0.25, 0.5, 0.5, 0.75, 1.0, 1.0), None),
        (BoxConvention("xyz", "voxel", "exclusive", "corners"), (32, 32, 6, 64, 64, 18), None),
        (BoxConvention("dhw", "per_1000", "exclusive", "center_size"), (500, 750, 750, 500, 500, 500), None),
        (M3D, None, "It is <bx_start>[0.25, 0.5, 0.5, 0.708, 0.984, 0.984]<bx_end>"),
    ],
)
def test_boxes_are_converted_once_from_the_declared_convention(
    phantom: Path, tmp_path: Path, convention: BoxConvention, numbers: Any, text: str | None
) -> None:
    watcher = Watcher(lambda query: Prediction(query.id, box=numbers, text=text), boxes=convention)
    run(phantom, tmp_path / "run", "rec", watcher, limit=2)
    assert watcher.seen[0].grid() == (24, 64, 64)
    assert journal(tmp_path / "run", "rec")[0]["box"] == pytest.approx([0.25, 0.5, 0.5, 0.75, 1.0, 1.0])


@pytest.mark.parametrize(
    ("text", "unparsed"),
    [
        ("There is no spleen in this scan.", False),
        ("[0.1, 0.2", True),
        ("Gladly!", True),
        ("[0.9, 0, 0, 0.1, 1, 1]", True),
    ],
)
def test_no_box_is_an_absence_only_when_said(phantom: Path, tmp_path: Path, text: str, unparsed: bool) -> None:
    run(phantom, tmp_path / "run", "rec", Watcher(lambda query: Prediction(query.id, text=text)), limit=1)
    row = journal(tmp_path / "run", "rec")[0]
    assert "box" not in row
    assert row.get("unparsed", False) is unparsed


def test_probabilities_are_stored_hard_with_the_sums_that_soft_dice_needs(phantom: Path, tmp_path: Path) -> None:
    def answer(query: Query) -> Prediction:
        return Prediction(query.id, mask=np.linspace(0, 1, int(np.prod(query.grid()))).reshape(query.grid()))

    folder, _ = run(phantom, tmp_path / "run", "seg_semantic", Watcher(answer), limit=3)
    for row in journal(tmp_path / "run", "seg_semantic"):
        stored = StoredPrediction.from_json(row)
        assert stored.mask is not None
        assert stored.soft is not None
        mask = read_mask(folder.path / "seg_semantic" / "masks", stored.mask)
        np.testing.assert_array_equal(mask, np.linspace(0, 1, mask.size).reshape(mask.shape) > 0.5)
        assert stored.soft[0] == pytest.approx(mask.size / 2)
        assert 0 <= stored.soft[1] <= stored.soft[0]


@pytest.mark.parametrize(
    "mask", [np.zeros((2, 2)), np.full((24, 64, 64), 2.0), np.full((24, 64, 64), np.nan), np.zeros((2, 2, 2), int)]
)
def test_a_mask_that_is_none_is_an_error(phantom: Path, tmp_path: Path, mask: Any) -> None:
    run(phantom, tmp_path / "run", "seg_semantic", Watcher(lambda query: Prediction(query.id, mask=mask)), limit=1)
    assert journal(tmp_path / "run", "seg_semantic")[0]["status"] == "error"


# Metrics: a name, a direction, a worst value, a signature; the aggregate is pure


FAMILIES = {"evaluate"}
"""Metrics that need a name after a colon (``evaluate:NAME``)."""


@pytest.mark.parametrize("name", [name for name in registry.available("metrics") if name not in FAMILIES])
def test_every_metric_keeps_the_contract(name: str) -> None:
    metric = registry.create("metrics", name)
    assert metric.name == name.removeprefix("upstream.")
    assert metric.direction in {"higher", "lower"}
    assert metric.signature
    low, high = metric.bounds  # infinite on the worse side where every pair has a worst value of its own
    assert low < high
    assert metric.best == (high if metric.direction == "higher" else low)


def test_the_three_sets_of_facts(phantom: Path, tmp_path: Path) -> None:
    folder, _ = run(
        phantom, tmp_path / "run", "vqa_closed", Watcher(lambda query: Prediction(query.id, text="A")), limit=3
    )
    facts = folder.content()["tasks"]["vqa_closed"]["facts"]
    assert {"model", "adapter_version", "model_facts", "task_version", "manifest", "seed", "batch_size"} <= set(
        facts["resume"]
    )
    assert set(facts["comparable"]) == {"control", "task", "task_version", "manifest", "requests", "scoring"}
    assert facts["recorded"]["libraries"]["numpy"] == np.__version__
