"""Questions and answers on a training case: requests made by the benchmark's tasks, answers as the model shall say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from m3dbench import registry
from m3dbench.adapters.m3d_lamed.wording import question
from m3dbench.data.phantom import DATASETS, DEFINITIONS, Facts, questions_of
from m3dbench.data.phantom.definitions import AMBIGUOUS
from m3dbench.data.phantom.labels import Tissue
from m3dbench.data.phantom.questions import LETTERS, NOT_OFFERED
from m3dbench.data.phantom.refseg import referring_rows
from m3dbench.data.phantom.report import report_of
from m3dbench.data.prepare.texts import prepared_text
from m3dbench.data.records import MaskRecord, QuestionRecord, Record, ReferringRecord, ReportRecord
from m3dbench.data.sample import FileRef, MaskRef, Request, Sample
from m3dbench.metrics.box_text import box_to_text
from m3dbench.task import Asking, Task

from .cases import GRID, TrainingCase
from .masks import class_rows, finding_rows

SEG = "[SEG]"
KINDS_OF = {
    "cap": (("report", 0.12), ("choose", 0.6), ("answer", 0.28)),
    "seg": (("locate", 0.4), ("segment", 0.32), ("name_region", 0.28)),
    "refseg": (("segment", 0.8), ("locate", 0.12), ("name_region", 0.08)),
}
"""Kinds of request by the preparation of the volume, with their shares."""
_CODES = (("0003", 0.5), ("0011", 0.35), ("0012", 0.15))
_OWN_WORDING = 0.12
"""Share of requests put in the benchmark's default wording instead of the model's."""


@dataclass(frozen=True)
class Example:
    """A prompt without its place holders (with its leading space), the answer, and for ``[SEG]`` the rows of the prompt
    table that its vector shall come near to, with the voxels meant."""

    kind: str
    prompt: str
    answer: str
    rows: tuple[int, ...] = ()
    mask: npt.NDArray[np.bool_] | None = None


def example_of(case: TrainingCase, draws: np.random.Generator, *, kind: str = "", own: bool | None = None) -> Example:
    """One example on a case, of a drawn kind unless it is given. own: in the benchmark's default wording."""
    shares = KINDS_OF[case.preparation]
    kind = kind or str(draws.choice([name for name, _ in shares], p=[share for _, share in shares]))
    own = bool(draws.random() < _OWN_WORDING) if own is None else own
    name = f"{case.facts.case}/{draws.integers(2**31)}"
    if case.preparation == "cap":
        return _told(next(iter(_cap(case, kind, name, draws))), own)
    if case.preparation == "refseg":
        return _referring(case, kind, name, draws, own)
    return _class(case, kind, name, draws, own)


def reworded(facts: Facts, draws: np.random.Generator) -> Facts:
    """The same facts under another seed: what is said of them, and how, is drawn anew."""
    return replace(facts, seed=int(draws.integers(2**31)))


def _cap(case: TrainingCase, kind: str, name: str, draws: np.random.Generator) -> Iterator[Sample]:
    volume = FileRef("none")
    facts = reworded(case.facts, draws)
    if kind == "report":
        text = prepared_text(report_of(facts))
        return _samples(_task("report_generation"), ReportRecord(id=name, case=name, volume=volume, text=text), {})
    questions = questions_of(facts)
    asked = questions[int(draws.integers(len(questions)))]
    offered = {letter: text for letter, text in zip(LETTERS, asked.choices, strict=True) if text != NOT_OFFERED}
    record = QuestionRecord(
        id=name, case=name, volume=volume, question=asked.question, answer=asked.answer, letter=asked.letter,
        choices=offered,
    )  # fmt: skip
    return _samples(_task("vqa_closed") if kind == "choose" else _task("vqa_open"), record, {})


def _class(case: TrainingCase, kind: str, name: str, draws: np.random.Generator, own: bool) -> Example:
    code = str(draws.choice([code for code, _ in _CODES], p=[share for _, share in _CODES]))
    organ = str(draws.choice(DATASETS[code]))
    mask = case.case.mask(organ)
    definitions = DEFINITIONS[organ]
    record = MaskRecord(
        id=name, case=name, volume=FileRef("none"), mask=MaskRef("mask"), name=organ, definitions=definitions,
        ambiguous=frozenset({AMBIGUOUS} if code == "0011" else ()),
    )  # fmt: skip
    arrays = {"mask": mask}
    by_name = draws.random() < 0.5
    if kind == "segment":
        samples = list(_samples(_task("seg_semantic") if by_name else _task("seg_referring"), record, arrays))
        sample = samples[0]
    else:
        task: Task[Any] = _task("rec") if kind == "locate" else _task("reg")
        sample = list(_samples(task, record, arrays))[0 if by_name else 1]
    present = bool(mask.any())
    rows = class_rows(organ) if kind == "segment" and present else ()
    # Both kidneys fit the definition that two classes share.
    if AMBIGUOUS in sample.request.description and rows:
        rows = class_rows("kidney")
        mask = case.case.mask("kidney")
    return _told(sample, own, rows, mask if rows else None, absent="" if present else organ)


def _referring(case: TrainingCase, kind: str, name: str, draws: np.random.Generator, own: bool) -> Example:
    shown = [i for i in range(len(case.facts.findings)) if (case.case.labels == Tissue.FIRST_FINDING + i).any()]
    rows = [row for row in referring_rows(name, case.case, 0) if int(row[2]) - 1 in shown]
    if not rows:
        return _class(case, kind, name, draws, own)
    row = rows[int(draws.integers(len(rows)))]
    index = int(row[2]) - 1
    mask = case.case.finding_mask(index)
    record = ReferringRecord(
        id=name, case=name, volume=FileRef("none"), mask=MaskRef("mask"),
        kind="reasoning" if row[3] == "1" else "description", question=row[4], answer=row[5].replace("<SEG>", SEG),
    )  # fmt: skip
    tasks: dict[str, Task[Any]] = {
        "segment": _task("seg_referring"),
        "locate": _task("rec"),
        "name_region": _task("reg"),
    }
    sample = next(iter(_samples(tasks[kind], record, {"mask": mask})))
    told = finding_rows(case.facts.findings[index]) if kind == "segment" else ()
    return _told(sample, own, told, mask if told else None)


@cache
def _task(name: str) -> Task[Any]:
    """A task of the benchmark, found as users' runs find it."""
    made: Task[Any] = registry.create("tasks", name)
    return made


def _samples(task: Task[Any], record: Record, arrays: dict[str, npt.NDArray[np.bool_]]) -> Iterator[Sample]:
    return task.samples(record, Asking(seed=0, mask=lambda reference: arrays[reference.path]))


def _told(
    sample: Sample,
    own: bool,
    rows: tuple[int, ...] = (),
    mask: npt.NDArray[np.bool_] | None = None,
    absent: str = "",
) -> Example:
    request = sample.request
    text = request.wording if own else question(request, GRID)
    space = "" if request.kind == "report" else " "
    return Example(request.kind, space + text, answer_to(request, sample, absent), rows, mask)


def answer_to(request: Request, sample: Sample, absent: str) -> str:
    """What the model shall say. absent: the class that is asked for and is not there."""
    reference = sample.reference
    match request.kind:
        case "choose":
            # In the very tokens that the text has among the choices. Its letter is more than so small a model learns.
            return f" {reference.text}"
        case "locate" | "segment" if absent:
            return f"Sorry, there is no {absent}."
        case "locate":
            return box_to_text(reference.box, GRID) if reference.box is not None else "Sorry, there is none."
        case "segment":
            return f"Sure, it is {SEG}."
        case _:
            return reference.text
