"""Boards made of drawn numbers, for tests and measurements of the pages: any number of models over the eight tasks."""

from __future__ import annotations

import random
from typing import NamedTuple

from m3dbench.report.leaderboard.board import (
    Board,
    Entry,
    Measure,
    Published,
    Ranking,
    Score,
    Submission,
)

FAMILIES = ("Lumen", "Voxa", "Tomo", "Hepar", "Axion", "Sagitta", "Corona", "Hilum")
SIZES = ("2B", "4B", "7B", "8B", "13B", "34B")
ORGANS = ("liver", "spleen", "kidney", "pancreas", "aorta", "gallbladder", "urinary bladder", "lungs")
TYPES = ("abnormality", "location", "organ", "phase", "plane")
HOSTILE = "<img src=x onerror=\"window.hit=1\"></script><script>window.hit=1</script>{{ 7 * 7 }} & 'quoted'"


class Made(NamedTuple):
    """A task of a made board. macro: its dimension. metrics: name, direction, unit; the first is the primary one."""

    task: str
    title: str
    samples: int
    macro: str
    dimensions: dict[str, tuple[str, ...]]
    metrics: tuple[tuple[str, str, str], ...]
    upstream: tuple[str, ...]


def _rates(*names: str) -> tuple[tuple[str, str, str], ...]:
    return tuple((name, "higher", "fraction") for name in names)


_MASKS = (*_rates("dice", "mask_iou", "nsd", "mask_presence_specificity"), ("hd95", "lower", "mm"))
_TEXT = _rates("bleu1", "bleu4", "rougeL", "meteor", "bertscore_f1")
_CLASSES = {"class": ORGANS, "presence": ("present", "absent"), "size": ("small (0.5 to 5 ml)", "medium (5 to 50 ml)")}
_QUESTIONS = {"question_type": TYPES, "dataset": ("M3D-VQA",)}
_PLANES = {"plane": ("axial", "coronal", "sagittal")}
TASKS = (
    Made(
        "vqa_closed",
        "Closed VQA",
        5000,
        "question_type",
        _QUESTIONS,
        _rates("accuracy", "accuracy_adjusted", "answer_parsed"),
        ("accuracy",),
    ),
    Made("vqa_open", "Open VQA", 5000, "question_type", _QUESTIONS, _TEXT, ("bleu1", "meteor")),
    Made(
        "report_generation",
        "Report generation",
        2000,
        "",
        _PLANES,
        _rates("rougeL", *(name for name, *_ in _TEXT if name != "rougeL")),
        ("bleu1",),
    ),
    Made(
        "retrieval",
        "Image-text retrieval",
        2000,
        "",
        _PLANES,
        (*_rates("recall@1_i2t", "recall@5_i2t", "recall@1_t2i"), ("median_rank_i2t", "lower", "rank")),
        ("recall@1_i2t",),
    ),
    Made(
        "reg",
        "Referring expression generation",
        1400,
        "class",
        _CLASSES,
        _rates("name_exact", "name_f1", "bleu1"),
        ("bleu1",),
    ),
    Made(
        "rec",
        "Referring expression comprehension",
        1400,
        "class",
        _CLASSES,
        _rates("iou", "acc@0.25", "acc@0.5"),
        ("iou",),
    ),
    Made("seg_semantic", "Semantic segmentation", 2600, "class", _CLASSES, _MASKS, ("dice",)),
    Made("seg_referring", "Referring segmentation", 1100, "class", _CLASSES, _MASKS, ("dice",)),
)


def made_board(submissions: int = 200, tasks: int = 8, *, hostile: bool = False, demonstration: bool = False) -> Board:
    """The same board for the same arguments. hostile: every text a stranger may write holds markup and script."""
    draw = random.Random(20260101)
    people = tuple(_submission(number, hostile) for number in range(submissions))
    rankings = tuple(_ranking(task, people, draw, hostile) for task in TASKS[:tasks])
    published = (
        Published(
            task="vqa_closed",
            model="M3D-LaMed (paper)",
            metric="accuracy",
            value=75.08,
            stratum={"question_type": "mean"},
            source="arXiv 2404.00578, table 5",
            why_not="the samples and prompts are not those of this ranking" + (HOSTILE if hostile else ""),
        ),
    )
    return Board.model_validate(
        {
            "schema": 1,
            "title": f"3D medical MLLMs{HOSTILE if hostile else ''}",
            "demonstration": demonstration,
            "made_with": "m3dbench 0.1.0",
            "submissions": people,
            "rankings": rankings,
            "published": published,
        }
    )


def _submission(number: int, hostile: bool) -> Submission:
    role = "blind" if number % 23 == 7 else "oracle" if number % 97 == 96 else "model"
    family = f"{FAMILIES[number % len(FAMILIES)]}-{SIZES[number // len(FAMILIES) % len(SIZES)]}"
    model = family if role == "model" else f"{role} {number}"
    links = {
        "paper": f"https://example.org/{number}",
        "code": "javascript:window.hit=1" if hostile else "https://example.org/code",
    }
    return Submission(
        submission=f"{model.lower().replace(' ', '-')}-{number}",
        model=model + (HOSTILE if hostile else ""),
        version=f"1.{number // 48}",
        role=role,
        submitted=f"2026-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
        submitter="Radiology lab" + (HOSTILE if hostile else ""),
        links=links,
        train_data=None if number % 5 == 4 else (("M3D-Cap", "M3D-VQA") if number % 6 == 1 else ("M3D-Cap",)),
        facts={"dtype": "bfloat16", "revision": f"{number:08x}", "options": {"beams": 1, "max_new_tokens": 256}},
    )


def _ranking(task: Made, people: tuple[Submission, ...], draw: random.Random, hostile: bool) -> Ranking:
    measures = tuple(
        Measure(metric=name, scoring=scoring, direction=direction, signature=f"{name}; m3dbench 1", unit=unit)  # type: ignore[arg-type]
        for name, direction, unit, scoring in (
            *((*metric, "corrected") for metric in task.metrics),
            *((name, "higher", "fraction", "upstream") for name in task.upstream),
        )
    )
    drawn = [(_skill(person, draw), person) for person in people if draw.random() > 0.08]
    drawn.sort(key=lambda pair: -pair[0])
    entries = [_entry(task, measures, person, skill, draw, hostile) for skill, person in drawn]
    return Ranking(
        ranking=f"{task.task}-{draw.randrange(16**6):06x}",
        task=task.task,
        title=task.title,
        test_set="test" + (HOSTILE if hostile else ""),
        samples=task.samples,
        cases=task.samples // 7,
        facts={
            "task version": "1.0",
            "requests": "default",
            "manifest": f"{draw.randrange(16**12):012x}",
            "scoring": ["corrected", "upstream"],
        },
        measures=measures,
        entries=tuple(_placed(entries)),
    )


def _skill(person: Submission, draw: random.Random) -> float:
    return {"model": draw.betavariate(4, 4) * 0.7 + 0.2, "blind": draw.uniform(0.05, 0.25), "oracle": 0.97}[person.role]


def _entry(
    task: Made, measures: tuple[Measure, ...], person: Submission, skill: float, draw: random.Random, hostile: bool
) -> Entry:
    failed, unscored = (draw.randrange(40), 0) if draw.random() < 0.3 else (0, 0)
    scores = {
        one.key: _score(one, skill - 0.04 * place, task.samples, failed, unscored, draw)
        for place, one in enumerate(measures)
    }
    strata = {
        one.key: {
            dimension: {name: _score(one, skill, task.samples // len(names), 0, 0, draw, 0.1) for name in names}
            for dimension, names in task.dimensions.items()
        }
        for one in measures
    }
    return Entry(
        entry=f"{person.submission}/{task.task}",
        submission=person.submission,
        task=task.task,
        model=person.model,
        version=person.version,
        role=person.role,
        rank=None,
        unranked="an oracle reads the references" if person.role == "oracle" else "",
        scores=scores,
        macro={
            one.key: (task.macro, _score(one, skill - 0.02, task.samples, failed, unscored, draw))
            for one in measures
            if task.macro
        },
        strata=strata,
        predictions={"ok": task.samples - failed, "error": failed, "refused": 0, "missing": 0},
        contamination=("M3D-VQA",)
        if person.train_data and "M3D-VQA" in person.train_data and "vqa" in task.task
        else (),
        notes=(("The answers were cut at 256 tokens." + (HOSTILE if hostile else ""),) if draw.random() < 0.2 else ()),
        verified=("from predictions", "from predictions", "from scores", "not")[draw.randrange(4)],  # type: ignore[arg-type]
    )


def _score(
    measure: Measure, skill: float, planned: int, failed: int, unscored: int, draw: random.Random, spread: float = 0.03
) -> Score:
    counts = {
        "n_planned": planned,
        "n_scored": planned - failed - unscored,
        "n_failed": failed,
        "n_unscored": unscored,
        "n_cases": planned // 7,
    }
    if measure.metric == "bertscore_f1":
        return Score(value=None, n_planned=planned, n_unscored=planned)
    value = min(0.995, max(0.01, skill + draw.gauss(0, spread)))
    half = 1.1 / planned**0.5 * (0.5 + abs(value - 0.5))
    low, high = max(0.0, value - half), min(1.0, value + half)
    if measure.direction == "lower":
        value, low, high = (round(60 * (1.02 - one), 4) for one in (value, high, low))
    if measure.scoring == "upstream":
        value, low, high = (one * 0.93 for one in (value, low, high))
    return Score(value=value, low=low, high=high, method="Korn-Graubard", **counts)


def _placed(entries: list[Entry]) -> list[Entry]:
    """Ties as intervals make them: a group is led by its best and holds those whose interval reaches its value."""
    ranked = [entry for entry in entries if not entry.unranked]
    placed: list[Entry] = []
    ranked.sort(key=lambda entry: -(_primary(entry).value or 0.0))
    rank, floor = 1, -1.0
    for place, entry in enumerate(ranked, start=1):
        score = _primary(entry)
        if place == 1 or (score.high or 0.0) < floor:
            rank, floor = place, score.value or 0.0
        better = sum((_primary(other).low or 0.0) > (score.high or 0.0) for other in ranked)
        worse = sum((_primary(other).high or 0.0) < (score.low or 0.0) for other in ranked)
        placed.append(
            entry.model_copy(
                update={"rank": rank, "best_rank": min(rank, better + 1), "worst_rank": len(ranked) - worse}
            )
        )
    return placed + [entry for entry in entries if entry.unranked]


def _primary(entry: Entry) -> Score:
    return next(iter(entry.scores.values()))
