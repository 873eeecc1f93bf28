"""The nearest-volume baseline: it looks, it remembers the train split, and it never sees a test reference."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import m3dbench as library
from m3dbench.adapter import Context, Known, Query
from m3dbench.adapters.nearest import Nearest
from m3dbench.adapters.nearest.features import BLOCKS, Scale, describe
from m3dbench.data.sample import FileRef, Reference, Request, Sample

Command = Callable[..., subprocess.CompletedProcess[str]]
Volume = np.ndarray
GRID = (4, 16, 16)


def volume(kind: str, noise: int) -> Volume:
    """A volume that is bright below, above or on one side."""
    found = np.random.default_rng(noise).random((1, *GRID), dtype=np.float32) * 0.1
    part = {"low": np.s_[:, :2], "high": np.s_[:, 2:], "side": np.s_[..., :8]}[kind]
    found[part] += 0.8
    return found


TRAIN = {"t0": "low", "t1": "high", "t2": "side", "t3": "low"}


class Shelf:
    """A train split of four volumes that counts how often each is read."""

    def __init__(self, samples: Callable[[str, str], list[Sample]]) -> None:
        self.read: Counter[str] = Counter()
        self.masks: Counter[str] = Counter()
        self._samples = samples

    def __call__(self) -> Iterator[tuple[Sample, Known]]:
        for name, kind in TRAIN.items():
            for sample in self._samples(name, kind):
                yield (
                    sample,
                    Known(sample.reference, lambda kind=kind: self._mask(kind), lambda n=name: self._volume(n)),
                )  # type: ignore[misc]

    def _volume(self, name: str) -> Volume:
        self.read[name] += 1
        return volume(TRAIN[name], int(name[1:]))

    def _mask(self, kind: str) -> Volume:
        self.masks[kind] += 1
        return volume(kind, 0)[0] > 0.5


def sample(name: str, number: int, request: Request, reference: Reference) -> Sample:
    return Sample(f"{name}#{number}", name, request, reference, {"dataset": "d"}, FileRef(name))


def query(kind: str, request: Request) -> Query:
    shown = volume(kind, 99)
    return Query("q", "c", request, volume=lambda: shown, grid=lambda: GRID)


def prepared(shelf: Shelf, answer: str, task: str = "any", **options: int) -> Nearest:
    adapter = Nearest(**options)
    adapter.prepare(Context(task, answer, 0, train=shelf))  # type: ignore[arg-type]
    return adapter


def reports(name: str, kind: str) -> list[Sample]:
    return [sample(name, 0, Request("report"), Reference(text=f"bright: {kind} ({name})"))]


def questions(name: str, kind: str) -> list[Sample]:
    where = Request("choose", question="Where is it bright?", choices={"A": "low", "B": "high", "C": "side"})
    return [sample(name, 0, where, Reference(text=kind, choice={"low": "A", "high": "B", "side": "C"}[kind]))]


def regions(name: str, kind: str) -> list[Sample]:
    box = {"low": (0, 0, 0, 0.5, 1, 1), "high": (0.5, 0, 0, 1, 1, 1)}.get(kind)
    found = Reference(text=f"The lamp ({kind}).", box=box, names=("lamp",), present=box is not None)
    return [
        sample(name, 0, Request("locate", target="lamp"), found),
        sample(name, 1, Request("locate", description="It shines."), found),
    ]


@pytest.mark.parametrize("kind", ["low", "high", "side"])
def test_each_answer_is_that_of_the_volume_most_alike(kind: str) -> None:
    told = prepared(Shelf(reports), "text").predict([query(kind, Request("report"))])[0].text
    assert str(told).startswith(f"bright: {kind}")
    choices = {"B": "Low", "C": "high", "D": "side"}
    asked = Request("choose", question="where is it bright", choices=choices)
    chosen = prepared(Shelf(questions), "choice").predict([query(kind, asked)])[0].text
    assert str(chosen)[3:].lower() == kind
    for request in (Request("locate", target="lamp"), Request("locate", description="It shines.")):
        found = prepared(Shelf(regions), "box").predict([query(kind, request)])[0]
        assert found.absent == (kind == "side")
        assert found.box == regions("t", kind)[0].reference.box
    mask = prepared(Shelf(regions), "mask").predict([query(kind, Request("segment", target="lamp"))])[0].mask
    assert mask is not None
    assert (mask == (volume(kind, 0)[0] > 0.5)).all()


def test_a_choice_is_one_of_those_offered_and_an_unseen_question_falls_back() -> None:
    adapter = prepared(Shelf(questions), "choice")
    two = Request("choose", question="Where is it bright?", choices={"A": "high", "B": "side"})
    assert adapter.predict([query("low", two)])[0].text in ("A. high", "B. side")
    unseen = Request("choose", question="Why?", choices={"A": "no", "B": "low"})
    assert adapter.predict([query("side", unseen)])[0].text == "B. low"


def test_each_train_volume_is_read_once_and_masks_only_when_asked_for() -> None:
    shelf = Shelf(regions)
    adapter = prepared(shelf, "mask")
    assert shelf.read == dict.fromkeys(TRAIN, 1)
    assert not shelf.masks
    adapter.predict([query("low", Request("segment", target="lamp"))])
    assert shelf.read == dict.fromkeys(TRAIN, 1)
    assert shelf.masks == {"low": 1}


def test_train_volumes_bounds_what_is_read_in_order() -> None:
    shelf = Shelf(reports)
    adapter = prepared(shelf, "text", train_volumes=2)
    assert set(shelf.read) == {"t0", "t1"}
    assert adapter.facts() == {"train_volumes": 2}
    assert adapter.predict([query("side", Request("report"))])[0].text


def test_a_region_is_named_by_the_nearest_volumes_best_box() -> None:
    def named(name: str, kind: str) -> list[Sample]:
        boxes = {"spleen": (0, 0, 0, 0.4, 0.4, 0.4), "liver": (0.5, 0.5, 0.5, 1, 1, 1)}
        return [
            sample(name, n, Request("name_region", box=box), Reference(text=f"{organ} {kind}", names=(organ,)))  # type: ignore[arg-type]
            for n, (organ, box) in enumerate(boxes.items())
        ]

    adapter = prepared(Shelf(named), "text", "reg")
    asked = Request("name_region", box=(0.5, 0.5, 0.4, 1, 0.9, 0.9))
    assert adapter.predict([query("high", asked)])[0].text == "liver high"


def test_a_question_that_names_no_class_gets_what_the_nearest_volume_was_asked_for() -> None:
    def referring(name: str, kind: str) -> list[Sample]:
        return [sample(name, 0, Request("segment", question=f"Where is the {kind} lamp?"), Reference())]

    adapter = prepared(Shelf(referring), "mask", "seg_referring")
    for question in ("Where is the side lamp?", "What shines?"):
        mask = adapter.predict([query("side", Request("segment", question=question))])[0].mask
        assert mask is not None
        assert (mask == (volume("side", 0)[0] > 0.5)).all()


def test_features_are_block_means_and_quantiles_on_any_grid() -> None:
    ramp = np.broadcast_to(np.arange(16, dtype=np.float32)[:, None, None], (16, 24, 3))[np.newaxis]
    features = describe(ramp)
    blocks = features[: BLOCKS**3].reshape(BLOCKS, BLOCKS, BLOCKS)
    assert blocks[:, 0, 0] == pytest.approx(np.arange(8) * 2 + 0.5)
    assert np.ptp(blocks, axis=(1, 2)) == pytest.approx(0)
    assert features[BLOCKS**3] == 0
    assert features[-1] == 15
    assert np.isfinite(describe(np.zeros((1, 1, 2, 3), dtype=np.float32))).all()


def test_features_that_never_vary_count_for_nothing() -> None:
    train = np.stack([describe(volume(kind, n)) for n, kind in enumerate(TRAIN.values())])
    train[:, 7] = 3
    scale = Scale(train)
    assert scale(train).mean(axis=0) == pytest.approx(0, abs=1e-4)
    odd = train[0].copy()
    odd[7] = 1e6
    assert (scale(odd) == scale(train[0])).all()


@pytest.fixture(scope="module")
def closed(m3dbench: Command, phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, library.Run]:
    place = tmp_path_factory.mktemp("closed")
    for model in ("nearest", "blind"):
        m3dbench("run", "--model", model, "--task", "vqa_closed", "--data", phantom, "--out", place / model)
    return {model: library.load_run(place / model) for model in ("nearest", "blind")}


def test_it_beats_blind_where_the_image_tells(closed: dict[str, library.Run]) -> None:
    def accuracy(model: str) -> dict[str, float]:
        values = closed[model].values()
        chosen = values[(values.metric == "accuracy") & (values.scoring == "corrected")]
        return dict(zip(chosen.stratum, chosen.value, strict=True))

    nearest, blind = accuracy("nearest"), accuracy("blind")
    assert nearest["plane"] > blind["plane"] + 0.3
    assert nearest["phase"] > blind["phase"]
    assert nearest[""] > blind[""]


def test_answers_do_not_depend_on_test_references(
    closed: dict[str, library.Run], m3dbench: Command, phantom: Path, tmp_path: Path
) -> None:
    data = tmp_path / "phantom"
    shutil.copytree(phantom, data)
    table = data / "M3D-VQA" / "M3D_VQA_test.csv"
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        other = next(letter for letter in "ABCD" if letter != row["Answer Choice"] and row[f"Choice {letter}"] != "NA")
        row["Answer Choice"], row["Answer"] = other, row[f"Choice {other}"]
        row["Text"] = "nothing"
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "run"
    m3dbench("run", "--model", "nearest", "--task", "vqa_closed", "--data", data, "--out", out)
    told = [
        (run.path / "vqa_closed" / "predictions.jsonl").read_bytes()
        for run in (library.load_run(out), closed["nearest"])
    ]
    assert told[0] == told[1]
    assert json.loads((out / "run.json").read_text())["tasks"]["vqa_closed"]["role"] == "model"
