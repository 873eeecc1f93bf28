"""``--requests upstream``: what is asked, and what is taken for right, as the reference's scripts make it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_checkout import TEMPLATES, make_checkout

from m3dbench import registry
from m3dbench.data.records import MaskRecord, QuestionRecord, ReportRecord
from m3dbench.data.sample import FileRef, MaskRef, Sample
from m3dbench.task import Asking
from m3dbench.upstream.checkout import read_checkout
from m3dbench.upstream.wordings import UpstreamWordings

Command = Callable[..., subprocess.CompletedProcess[str]]
FILE = FileRef("volume.npy")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return make_checkout(tmp_path / "m3d")


def ask(checkout: Path, *, present: bool = True, seed: int = 0) -> Asking:
    mask = np.zeros((4, 8, 8) if present else (1, 1, 1), dtype=np.bool_)
    mask[1:3, 2:6, 0:4] = present
    return Asking(seed, lambda _: mask, UpstreamWordings(read_checkout(checkout)))


def samples(task: str, record: Any, asking: Asking) -> list[Sample]:
    return list(registry.create("tasks", task).samples(record, asking))


def question(**changes: Any) -> QuestionRecord:
    row: dict[str, Any] = {"id": "q", "case": "c", "volume": FILE, "question": "Plane? ", "answer": "axial"}
    return QuestionRecord(**{**row, "letter": "A", "choices": {"A": "axial", "B": "coronal"}, **changes})


ORGAN = MaskRecord(id="0003/1/0", case="0003/1", volume=FILE, mask=MaskRef("mask.npy"), name="liver")
BOX = "<bx_start>[0.25, 0.25, 0.0, 0.5, 0.625, 0.375]<bx_end>"
DEFINITIONS = ("first words on li..", "second words on li..")


def test_closed_questions_print_nan_for_choices_that_are_not_there(checkout: Path) -> None:
    (sample,) = samples("vqa_closed", question(), ask(checkout))
    assert sample.request.wording == "Plane?  Choices: A. axial B. coronal C. nan D. nan"
    assert sample.request.choices == {"A": "axial", "B": "coronal", "C": "nan", "D": "nan"}
    (ours,) = samples("vqa_closed", question(), Asking(0, lambda _: np.zeros((1, 1, 1), dtype=np.bool_)))
    assert ours.request.wording == "Plane? Choices: A. axial B. coronal"
    assert ours.request.information() != sample.request.information()


@pytest.mark.parametrize("answer", ["None", "NA", "N/A", "null"])
def test_answers_that_read_as_missing_become_nan(checkout: Path, answer: str) -> None:
    (sample,) = samples("vqa_open", question(answer=answer), ask(checkout))
    assert sample.reference.text == "nan"
    assert sample.request.wording == "Plane? "


def test_captions_are_asked_for_with_imported_sentences_drawn_by_sample(checkout: Path) -> None:
    records = [ReportRecord(id=f"r{number}", case="c", volume=FILE, text="t") for number in range(60)]

    def drawn(seed: int, order: int) -> dict[str, str]:
        asking = ask(checkout, seed=seed)
        return {
            item.id: sample.request.wording
            for item in records[::order]
            for sample in samples("report_generation", item, asking)
        }

    assert drawn(0, 1) == drawn(0, -1) != drawn(1, 1)
    told = {f"Tell us about this scan, number {number}." for number in ("one", "two", "three")}
    assert set(drawn(0, 1).values()) == told


def test_rec_asks_by_name_and_by_imported_definition_and_words_the_reference(checkout: Path) -> None:
    named, described = samples("rec", ORGAN, ask(checkout))
    assert named.request.wording in ("Box of liver?", "Draw round liver.")
    assert named.reference.text == f"At {BOX}."
    assert described.request.description in DEFINITIONS
    assert described.request.wording in (
        f"Box of this: {described.request.description}",
        f"{described.request.description} - box?",
    )
    assert described.reference.text == f"A liver at {BOX}."
    named, described = samples("rec", ORGAN, ask(checkout, present=False))
    assert named.reference.text == "There is no liver at all."
    assert described.reference.text == "liver, but not in here."


def test_reg_asks_for_absent_classes_as_rec_does(checkout: Path) -> None:
    named, described = samples("reg", ORGAN, ask(checkout))
    assert (named.request.wording, named.reference.text) == (f"What sits in {BOX} ?", "It is the liver.")
    assert described.request.wording == f"Describe what sits in {BOX}."
    assert described.reference.text in {f"It is liver. Known: {text}" for text in DEFINITIONS}
    named, described = samples("reg", ORGAN, ask(checkout, present=False))
    assert named.request.wording in ("Box of liver?", "Draw round liver.")
    assert described.request.description in DEFINITIONS
    assert described.request.target == ""
    assert described.request.description in described.request.wording
    assert (named.reference.text, described.reference.text) == ("No liver.", "A liver, not here.")


def test_segmentation_is_asked_for_with_imported_sentences(checkout: Path) -> None:
    (sample,) = samples("seg_semantic", ORGAN, ask(checkout))
    assert sample.request.wording in ("Paint liver.", "Colour liver in.")


def test_a_run_is_recorded_and_resumed_under_the_same_requests_only(
    m3dbench: Command, phantom: Path, checkout: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    call = ["run", "--model", "oracle", "--task", "vqa_closed,report_generation,reg", "--data", phantom, "--out", out]
    upstream = [*call, "--requests", "upstream", "--templates"]
    said = m3dbench(*call, "--requests", "upstream", code=2).stderr
    assert "--templates" in said
    assert "--requests upstream" in m3dbench(*call, "--templates", checkout, code=2).stderr

    done = m3dbench(*upstream, checkout)
    assert "1 of the imported PosREG_templates.des_answers" in done.stdout + done.stderr
    tasks = json.loads((out / "run.json").read_text())["tasks"]
    assert tasks["vqa_closed"]["facts"]["resume"]["requests"] == "upstream"
    assert tasks["vqa_closed"]["facts"]["resume"]["templates"] == read_checkout(checkout).digest
    before = (out / "reg" / "manifest.jsonl").read_bytes()
    m3dbench(*upstream, checkout)
    assert (out / "reg" / "manifest.jsonl").read_bytes() == before

    assert "requests was" in m3dbench(*call, code=2).stderr
    other = make_checkout(tmp_path / "other", TEMPLATES.replace("Paint {}.", "Paint the {}."))
    assert "templates was" in m3dbench(*upstream, other, code=2).stderr
    assert "prompt_variants was" in m3dbench(*upstream, checkout, "--prompt-variants", "2", code=2).stderr

    ours = tmp_path / "ours"
    m3dbench(*call[:-1], ours)
    theirs, mine = (
        {
            name: entry["facts"]["comparable"]
            for name, entry in json.loads((path / "run.json").read_text())["tasks"].items()
        }
        for path in (out, ours)
    )
    assert theirs["vqa_closed"]["requests"] != mine["vqa_closed"]["requests"]
    assert theirs["report_generation"] == mine["report_generation"]  # the same is asked in other words
    assert theirs["reg"]["manifest"] != mine["reg"]["manifest"]
