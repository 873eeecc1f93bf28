"""M3D-Cap and M3D-VQA of the phantom: report series, their texts, the split file and the question tables."""

from __future__ import annotations

from collections.abc import Callable

from m3dbench.data.prepare.texts import prepared_text

from .case import draw
from .draws import Draws
from .facts import facts_of
from .files import Files
from .plan import SPLITS, CapCase, Sizes, Split, cap_cases
from .questions import LETTERS, NOT_OFFERED, Question, presence, questions_of
from .raster import Plane
from .report import report_of

COLUMNS = (
    "Image Path",
    "Text",
    "Question Type",
    "Question",
    "Choice A",
    "Choice B",
    "Choice C",
    "Choice D",
    "Answer",
    "Answer Choice",
)
_ROOT = "M3D_Cap_npy"
Grid = tuple[int, int, int]
Row = tuple[str, ...]


def series_name(plane: Plane, setting: str) -> str:
    """The folder or file name of a series, which carries plane and phase: "Axial_non_contrast"."""
    return f"{plane}_{setting}"


def raw_text(case: CapCase, seed: int) -> str:
    """The text of a folder before preparation."""
    text = report_of(facts_of(case.drawn, seed=seed))
    if not case.shout:
        return text
    heading = "study_findings:"
    return f"{heading}\n" + prepared_text(text).upper().replace(". ", ".  ") + "\n"


def _row(image: str, text: str, question: Question) -> Row:
    return (image, text, str(question.type), question.question, *question.choices, question.answer, question.letter)


def _yes_no(image: str, text: str, case: CapCase, seed: int) -> list[Row]:
    facts = facts_of(case.drawn, seed=seed)
    draws = Draws(seed, case.drawn, "yes-no")
    first = presence(facts, draws)
    # Always Yes under A and No under B in this file, as in a form.
    return [
        _row(
            image,
            text,
            Question(
                4, first.question, ("Yes", "No", NOT_OFFERED, NOT_OFFERED), first.answer, LETTERS[first.answer == "No"]
            ),
        )
    ]


def write_cap(files: Files, sizes: Sizes, seed: int, grid: Grid, step: Callable[[], None]) -> None:
    """Write ``M3D_Cap_npy`` (images float32 (1, D, H, W) in [0, 1]) and ``M3D-VQA``; ``step`` follows each case."""
    items: dict[str, list[dict[str, str]]] = {split: [] for split in SPLITS}
    rows: dict[Split, list[Row]] = {split: [] for split in SPLITS}
    yes_no: list[Row] = []
    texts: dict[str, str] = {}
    for case in cap_cases(sizes, seed):
        folder = f"{_ROOT}/{case.folder}"
        if folder not in texts:
            texts[folder] = prepared_text(raw_text(case, seed))
            files.text(f"{folder}/text.txt", texts[folder])
        series = facts_of(case.drawn, seed=seed).series
        for index in case.series:
            plane, setting = series[index]
            image = f"{folder}/{series_name(plane, setting)}.npy"
            files.array(image, draw(case.drawn, seed=seed, grid=grid, plane=plane, setting=setting).image)
            items[case.split].append({"image": image, "text": f"{folder}/text.txt"})
            facts = facts_of(case.drawn, seed=seed, plane=plane, setting=setting)
            rows[case.split] += [_row(image, texts[folder], question) for question in questions_of(facts)]
        if case.split == "train":
            yes_no += _yes_no(items["train"][-1]["image"], texts[folder], case, seed)
        step()
    test = items["test"]
    shorter = {f"test{name}": test[:count] for name, count in (("1k", 1000), ("500", 500), ("100", 100))}
    files.json(f"{_ROOT}/M3D_Cap.json", items | shorter)
    for split, name in (("train", "train"), ("validation", "val"), ("test", "test")):
        files.table(f"M3D-VQA/M3D_VQA_{name}.csv", COLUMNS, rows[SPLITS[SPLITS.index(split)]])
    half = {item["image"] for item in test[: -(-len(test) // 2)]}
    files.table("M3D-VQA/M3D_VQA_test5k.csv", COLUMNS, [row for row in rows["test"] if row[0] in half])
    files.table("M3D-VQA/M3D_VQA_yn_train.csv", COLUMNS, yes_no)
