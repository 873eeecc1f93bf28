"""What answers a test set gives away without its images: letters, lengths, texts that stand twice, definitions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from m3dbench.data.dataset import DataSource
from m3dbench.data.records import MaskRecord, QuestionRecord, ReportRecord
from m3dbench.metrics.names import words
from m3dbench.metrics.ranking import text_key

SKEWED = 0.01
"""Letters are called skewed where chance would skew them so with a smaller probability."""


@dataclass(frozen=True)
class Letters:
    """Right letters of a split. expected: were they spread evenly over the offered ones; p: of a chi-squared test of
    that, None where the split is empty. longest: share in which the one longest choice is right, of those with one.
    """

    split: str
    questions: int
    observed: dict[str, int]
    expected: dict[str, float]
    p: float | None
    chance: float
    longest: float | None

    @property
    def best_letter(self) -> float:
        """Accuracy of always answering the most frequent letter."""
        return max(self.observed.values()) / self.questions if self.questions else 0.0

    @property
    def skewed(self) -> bool:
        return self.p is not None and self.p < SKEWED


@dataclass(frozen=True)
class Pool:
    """The retrieval pool of a split. shared: items whose text stands at another item too. ceiling: the best recall@1
    where only the own row counts as a hit (mean of 1 / items of that text)."""

    split: str
    items: int
    texts: int
    shared: int
    ceiling: float
    examples: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Definitions:
    """Definitions of a sub-dataset. ambiguous: definition -> the classes that it fits. named: definition -> its class,
    whose name it contains. repeated_names: names that two classes of one volume bear."""

    dataset: str
    definitions: int
    ambiguous: dict[str, list[str]]
    named: dict[str, str]
    repeated_names: list[str]


def letters(source: DataSource) -> list[Letters]:
    """By split of the question tables."""
    return [
        _letters(split, (record for record in source.records(QuestionRecord, split)))
        for split in _splits(source, QuestionRecord)
    ]


def _letters(split: str, records: Iterable[QuestionRecord]) -> Letters:
    observed: Counter[str] = Counter()
    expected: defaultdict[str, float] = defaultdict(float)
    longest: list[bool] = []
    chance = 0.0
    for record in records:
        observed[record.letter] += 1
        for letter in record.choices:
            expected[letter] += 1 / len(record.choices)
        chance += 1 / len(record.choices)
        lengths = Counter(len(text) for text in record.choices.values())
        if lengths[max(lengths)] == 1:
            longest.append(len(record.choices[record.letter]) == max(lengths))
    total = observed.total()
    names = sorted(expected)
    return Letters(
        split=split,
        questions=total,
        observed={letter: observed[letter] for letter in names},
        expected={letter: round(expected[letter], 2) for letter in names},
        p=_chi_squared([observed[letter] for letter in names], [expected[letter] for letter in names]),
        chance=chance / total if total else 0.0,
        longest=sum(longest) / len(longest) if longest else None,
    )


def _chi_squared(observed: list[int], expected: list[float]) -> float | None:
    if sum(observed) == 0 or len(observed) < 2:
        return None
    from scipy.stats import chisquare

    return float(chisquare(observed, expected).pvalue)


def pools(source: DataSource) -> list[Pool]:
    """The reports of every test split as a retrieval pool."""
    found = []
    for split in _splits(source, ReportRecord):
        if "test" not in split and split != "validation":
            continue
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for record in source.records(ReportRecord, split):
            groups[text_key(record.text)].append(record.id)
        items = sum(map(len, groups.values()))
        several = [ids for ids in groups.values() if len(ids) > 1]
        found.append(
            Pool(
                split=split,
                items=items,
                texts=len(groups),
                shared=sum(map(len, several)),
                ceiling=len(groups) / items if items else 0.0,
                examples=sorted(several, key=len, reverse=True)[:3],
            )
        )
    return found


def definitions(source: DataSource) -> list[Definitions]:
    """By sub-dataset of the masks, over all splits."""
    owners: dict[str, dict[str, dict[str, None]]] = {}
    doubled: dict[str, dict[str, None]] = {}
    seen: tuple[str, set[str]] = ("", set())
    for split in _splits(source, MaskRecord):
        for record in source.records(MaskRecord, split):
            dataset = record.strata.get("dataset", "")
            for text in record.definitions:
                owners.setdefault(dataset, {}).setdefault(text, {})[record.name] = None
            if seen[0] != record.case:
                seen = (record.case, set())
            if record.name in seen[1]:
                doubled.setdefault(dataset, {})[record.name] = None
            seen[1].add(record.name)
    return [_definitions(dataset, found, list(doubled.get(dataset, ()))) for dataset, found in owners.items()]


def _definitions(dataset: str, owners: dict[str, dict[str, None]], doubled: list[str]) -> Definitions:
    merged: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for text, names in owners.items():
        merged[" ".join(words(text))].update(names)
    ambiguous = {
        text: sorted(merged[key])
        for text in owners
        if len(merged[key := " ".join(words(text))]) > 1 and not key == ""  # noqa: SIM201
    }
    named = {text: name for text, names in owners.items() for name in names if _holds(text, name)}
    return Definitions(dataset, len(owners), ambiguous, named, doubled)


def _holds(text: str, name: str) -> bool:
    return f" {' '.join(words(name))} " in f" {' '.join(words(text))} "


def _splits(source: DataSource, kind: type[QuestionRecord | ReportRecord | MaskRecord]) -> Collection[str]:
    return dict.fromkeys(
        split for dataset in source.datasets if kind in dataset.kinds for split in dataset.splits(source.root, kind)
    )
