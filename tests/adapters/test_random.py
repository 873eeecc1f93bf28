"""The random baseline sits at chance and depends on nothing but seed and id."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from m3dbench.adapter import Context, Query
from m3dbench.adapters.random_guess import RandomGuess
from m3dbench.data.manifest import samples_of
from m3dbench.data.sample import Sample
from m3dbench.metrics.choice import accuracy
from m3dbench.metrics.pairs import ChoicePair
from m3dbench.runs.engine import open_data
from m3dbench.task import Asking
from m3dbench.tasks.vqa_closed import VqaClosed


def not_looked_at() -> None:
    raise AssertionError("the random baseline looked at a volume")


@pytest.fixture(scope="module")
def samples(phantom: Path) -> list[Sample]:
    ask = Asking(0, lambda _: np.zeros((1, 1, 1), dtype=np.bool_))
    return list(samples_of(VqaClosed(), open_data(phantom), "test", ask, None))


def guesses(samples: list[Sample], seed: int) -> dict[str, str | None]:
    adapter = RandomGuess()
    adapter.prepare(Context("vqa_closed", "choice", seed, train=lambda: iter(())))
    queries = [Query(sample.id, sample.case, sample.request, not_looked_at, lambda: (2, 2, 2)) for sample in samples]  # type: ignore[arg-type]
    return {answer.id: answer.text for answer in adapter.predict(queries)}


def test_accuracy_over_many_seeds_is_the_mean_of_one_over_choices(samples: list[Sample]) -> None:
    pairs = [
        ChoicePair(str(guesses(samples, seed)[sample.id]), sample.reference.choice, sample.request.choices)
        for seed in range(25)
        for sample in samples
    ]
    right = np.array([outcome.statistics[0] for outcome in accuracy().outcomes(pairs) if outcome.statistics])
    chance = np.array([1 / len(pair.choices) for pair in pairs])
    deviation = np.sqrt((chance * (1 - chance)).sum()) / len(pairs)
    assert abs(right.mean() - chance.mean()) < 4 * deviation


def test_guesses_depend_on_seed_and_id_not_on_order(samples: list[Sample]) -> None:
    assert guesses(samples, 3) == guesses(samples[::-1], 3)
    assert guesses(samples, 3) != guesses(samples, 4)
