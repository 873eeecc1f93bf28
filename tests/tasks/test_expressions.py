"""How REC, REG and referring segmentation ask: definitions of three qualities, and questions of M3D-RefSeg."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from m3dbench.data.readers.label_names import Label
from m3dbench.data.readers.m3d_seg import shared_definitions
from m3dbench.data.records import MaskRecord, ReferringRecord
from m3dbench.data.sample import FileRef, MaskRef, Sample
from m3dbench.errors import ExitCode, UserError
from m3dbench.task import Asking, Task
from m3dbench.tasks.expressions import AMBIGUOUS
from m3dbench.tasks.rec import Rec
from m3dbench.tasks.reg import Reg
from m3dbench.tasks.seg_referring import SegReferring
from m3dbench.tasks.seg_semantic import SegSemantic

MASK = np.zeros((4, 4, 4), dtype=np.bool_)
MASK[1:3, 1:3, 1:3] = True
BOTH = "One of a pair of organs."


def ask(mask: Any = MASK) -> Asking:
    return Asking(0, lambda _: mask)


def kidney(definition: str, *, ambiguous: bool = False) -> MaskRecord:
    return MaskRecord(
        id="0011/s1/2",
        case="0011/s1",
        volume=FileRef("image.npy"),
        mask=MaskRef("mask_2.npy"),
        name="kidney left",
        definitions=(definition,),
        ambiguous=frozenset({definition} if ambiguous else ()),
        strata={"dataset": "0011", "class": "kidney left"},
    )


def question(kind: Any = "reasoning") -> ReferringRecord:
    return ReferringRecord(
        id="M3D-RefSeg/s1/1#1",
        case="M3D-RefSeg/s1",
        volume=FileRef("ct.npy"),
        mask=MaskRef("mask.npy", label=1),
        kind=kind,
        question="What calls for a closer look?",
        answer="It is the cyst [SEG], in the liver.",
        strata={"dataset": "M3D-RefSeg", "class": "unnamed"},
    )


def asked(task: Task[Any], record: Any, **options: Any) -> dict[str, Sample]:
    return {sample.strata["asked_by"]: sample for sample in task.samples(record, ask(**options))}


def test_a_definition_of_two_classes_of_one_code_is_found_whatever_its_spelling() -> None:
    dictionary = {
        "kidney left": [BOTH, "Below the spleen."],
        "kidney right": ["One of a pair of the organs", "Below the liver."],
        "liver": ["A gland.", "a gland"],
        "lobe": [BOTH],
    }

    def shared(*names: str) -> frozenset[str]:
        return shared_definitions([Label(name, name, tuple(dictionary[name])) for name in names])

    assert shared("kidney left", "kidney right", "liver") == {"one of pair of organs"}
    assert not shared("kidney left", "liver")
    assert len(shared("liver", "liver")) == 1, "two classes of one name share all"


@pytest.mark.parametrize("task", [Rec(), SegReferring()])
def test_an_ambiguous_definition_is_excluded_and_a_name_is_not(task: Task[Any]) -> None:
    samples = asked(task, kidney(BOTH, ambiguous=True))
    assert samples["definition"].excluded == AMBIGUOUS
    assert samples["definition"].strata["definition"] == "ambiguous"
    assert all(not sample.excluded for way, sample in samples.items() if way != "definition")
    assert not asked(task, kidney("Below the spleen."))["definition"].excluded


def test_reg_keeps_ambiguous_definitions_since_its_question_is_a_box() -> None:
    sample = asked(Reg(), kidney(BOTH, ambiguous=True))["definition"]
    assert not sample.excluded
    assert sample.strata["definition"] == "ambiguous"
    assert BOTH in sample.reference.text


@pytest.mark.parametrize(
    "told", ["The left kidney, below the spleen.", "Like the Kidney, left of the spine: kidney left."]
)
def test_a_definition_that_gives_the_name_away_is_a_stratum_of_its_own(told: str) -> None:
    assert asked(SegReferring(), kidney(told))["definition"].strata["definition"] == "names_class"
    assert asked(SegReferring(), kidney("The filter on the left."))["definition"].strata["definition"] == "clean"


def test_referring_segmentation_describes_and_semantic_segmentation_names() -> None:
    record = kidney("Below the spleen.")
    assert list(asked(SegReferring(), record)) == ["definition"]
    request = asked(SegReferring(), record)["definition"].request
    assert (request.target, request.description) == ("", "Below the spleen.")
    assert "kidney" not in request.wording
    semantic = next(iter(SegSemantic().samples(record, ask())))
    assert semantic.request.target == "kidney left"


def test_rec_and_referring_segmentation_ask_by_the_same_definition() -> None:
    record = MaskRecord(
        id="1", case="1", volume=FileRef(""), mask=MaskRef(""), name="liver", definitions=("a", "b", "c", "d", "e")
    )
    rec, seg = (asked(task, record)["definition"] for task in (Rec(), SegReferring()))
    assert (rec.id, rec.request.description) == (seg.id, seg.request.description)


def test_a_class_without_a_definition_cannot_be_referred_to() -> None:
    record = MaskRecord(id="1", case="1", volume=FileRef(""), mask=MaskRef(""), name="liver")
    with pytest.raises(UserError, match="no definition") as caught:
        list(SegReferring().samples(record, ask()))
    assert caught.value.code is ExitCode.NOTHING_TO_SCORE


@pytest.mark.parametrize("kind", ["description", "reasoning"])
def test_a_question_is_asked_as_the_data_set_has_it(kind: str) -> None:
    record = question(kind)
    seg, rec, reg = (asked(task, record)[kind] for task in (SegReferring(), Rec(), Reg()))
    assert seg.request.wording == seg.request.question == rec.request.question == record.question
    assert seg.reference.mask == rec.reference.mask == record.mask
    assert rec.reference.box == reg.request.box == (0.25, 0.25, 0.25, 0.75, 0.75, 0.75)
    assert "closer look" not in reg.request.wording
    assert reg.reference.text == "It is the cyst, in the liver."
    assert seg.strata["dataset"] == "M3D-RefSeg"
    for sample in (seg, rec, reg):
        assert not sample.excluded
        assert not sample.reference.names
        assert Sample.from_json(sample.to_json()) == sample


def test_an_absent_class_stays_in() -> None:
    samples = asked(Rec(), kidney("Below the spleen."), mask=np.zeros((1, 1, 1), dtype=np.bool_))
    assert {sample.strata["presence"] for sample in samples.values()} == {"absent"}
    assert not any(sample.excluded for sample in samples.values())
