"""Retrieval: expected values over ties by brute force, the block computation, medians, and the reference's ``topk``."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3dbench.metrics.core import Metric
from m3dbench.metrics.pairs import Place, RetrievalPair
from m3dbench.metrics.ranking import DECIMALS, UPSTREAM_K, places, text_key
from m3dbench.metrics.retrieval import (
    expected_recall,
    expected_reciprocal_rank,
    median_rank,
    mrr,
    recall,
    upstream_recall,
)
from m3dbench.metrics.topk import top
from m3dbench.stats.intervals import interval


@st.composite
def rankings(draw: st.DrawFn) -> tuple[list[int], list[bool]]:
    """Few values, so that they tie, and which of them are relevant: at least one."""
    size = draw(st.integers(1, 6))
    values = draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    relevant = draw(st.lists(st.booleans(), min_size=size, max_size=size).filter(any))
    return values, relevant


def place_of(values: list[int], relevant: list[bool]) -> Place:
    best = max(value for value, hit in zip(values, relevant, strict=True) if hit)
    tied = [hit for value, hit in zip(values, relevant, strict=True) if value == best]
    return Place(sum(value > best for value in values), len(tied), sum(tied))


def first_hits(values: list[int], relevant: list[bool]) -> list[int]:
    """The rank of the first relevant item in every order that the values allow."""
    orders = (
        order
        for order in permutations(range(len(values)))
        if all(values[one] >= values[other] for one, other in pairwise(order))
    )
    return [next(rank for rank, item in enumerate(order, 1) if relevant[item]) for order in orders]


@given(rankings())
def test_expected_values_are_means_over_all_orders_of_ties(ranking: tuple[list[int], list[bool]]) -> None:
    place, hits = place_of(*ranking), first_hits(*ranking)
    for k in (1, 2, 3, 5, 10):
        assert expected_recall(place, k) == pytest.approx(np.mean([hit <= k for hit in hits]), abs=1e-12)
    assert expected_reciprocal_rank(place) == pytest.approx(np.mean([1 / hit for hit in hits]), abs=1e-12)


@given(rankings())
def test_a_place_is_what_the_similarities_say(ranking: tuple[list[int], list[bool]]) -> None:
    values, relevant = ranking
    own = relevant.index(True)
    angles = np.asarray(values) / 4
    gallery = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    queries = np.tile([1.0, 0.0], (len(values), 1))
    groups = np.where(relevant, 0, 1 + np.arange(len(values)))
    found = places(queries, gallery, groups)[own]
    expected = place_of(values, relevant)
    assert (found.better, found.tied, found.relevant) == (expected.better, expected.tied, expected.relevant)


@given(st.integers(1, 40), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_blocks_give_what_one_block_gives(count: int, block: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = rng.integers(0, max(1, count // 2), count)
    gallery = rng.standard_normal((count, 5)).astype(np.float32)[texts]
    queries = rng.standard_normal((count, 5)).astype(np.float32)
    assert places(queries, gallery, texts, block_elements=block) == places(queries, gallery, texts)


@given(st.integers(1, 12), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_the_most_similar_view_counts_in_both_directions(count: int, block: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups, views = rng.integers(0, count, count), rng.integers(1, 5, count)
    images, texts = rng.standard_normal((int(views.sum()), 3)), rng.standard_normal((count, 3))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (images, texts)]
    best = np.stack([part.max(axis=0) for part in np.split(unit[0] @ unit[1].T, np.cumsum(views)[:-1])])
    i2t = places(images, texts, groups, query_views=views, block_elements=block)
    t2i = places(texts, images, groups, gallery_views=views, block_elements=block)
    for matrix, found in ((best, i2t), (best.T, t2i)):
        for query, place in enumerate(found):
            row = np.round(matrix[query], DECIMALS)
            hits = groups == groups[query]
            assert place.better == (row > row[hits].max()).sum()
            assert (1 in place.own_within) == (matrix[query].argmax() == query)


@pytest.mark.parametrize("views", [[2, 2], [3, 0], [1, 1, 1]])
def test_views_that_do_not_fit_are_refused(views: list[int]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        places(np.ones((3, 3)), np.ones((2, 3)), np.arange(2), query_views=np.asarray(views))


def test_values_closer_than_the_rounding_tie_and_length_does_not_matter() -> None:
    gallery = np.asarray([[1.0, 0.0], [3.0, 3e-4], [0.0, 2.0]])
    (first, _, _) = places(gallery, gallery, np.arange(3))
    assert (first.better, first.tied, first.relevant) == (0, 2, 1)


@pytest.mark.parametrize("bad", [np.zeros((2, 3)), np.full((2, 3), np.nan)])
def test_embeddings_without_direction_are_refused(bad: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    with pytest.raises(ValueError, match="zero or not finite"):
        places(bad, np.ones((2, 3)), np.arange(2))


def test_the_same_text_is_the_same_whatever_its_case_and_spaces() -> None:
    assert text_key(" No  focal\nlesion. ") == text_key("no focal LESION.")
    assert text_key("No lesion.") != text_key("No lesions.")


def one(metric: Metric, pair: RetrievalPair) -> float:
    (outcome,) = metric.outcomes([pair])
    assert outcome.statistics is not None
    return metric.value(outcome.statistics)


def test_a_pool_smaller_than_k_is_retrieved_whole_and_upstream_is_unscored() -> None:
    pair = RetrievalPair(Place(2, 1, 1), None, pool=3, matches=1)
    assert one(recall("image_to_text", 10), pair) == 1.0
    (outcome,) = upstream_recall("image_to_text", 5).outcomes([pair])
    assert (outcome.status, outcome.quirk) == ("unscored", "Q-ITR-4")


def test_a_failed_query_is_worst_and_found_last() -> None:
    pair = RetrievalPair(None, None, pool=100, matches=1)
    assert one(recall("image_to_text", 1), pair) == 0.0
    assert one(mrr("text_to_image"), pair) == 0.0
    metric = median_rank("text_to_image")
    assert 91 < one(metric, pair) <= 100
    assert [outcome.status for outcome in metric.outcomes([pair])] == ["failed"]


def test_chance_is_a_random_ranking() -> None:
    pair = RetrievalPair(Place(0, 1, 1), Place(0, 1, 1), pool=8, matches=2)
    hits = first_hits([0] * 8, [False] * 6 + [True] * 2)
    for k in (1, 5, 10):
        metric = recall("image_to_text", k)
        assert metric.chance is not None
        assert metric.chance(pair)[0] == pytest.approx(np.mean([hit <= k for hit in hits]))
    guess = mrr("image_to_text").chance
    assert guess is not None
    assert guess(pair)[0] == pytest.approx(np.mean([1 / hit for hit in hits]))


def sums_of(ranks: list[int], pool: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    pairs = [RetrievalPair(Place(rank - 1, 1, 1), None, pool, 1) for rank in ranks]
    found = [outcome.statistics for outcome in median_rank("image_to_text").outcomes(pairs)]
    return np.asarray(found, dtype=np.float64)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=30))
def test_the_median_is_exact_up_to_rank_20(ranks: list[int]) -> None:
    metric = median_rank("image_to_text")
    assert float(metric.aggregate(sums_of(ranks, 20).sum(axis=0))) == sorted(ranks)[(len(ranks) - 1) // 2]


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=30))
def test_the_median_is_within_a_tenth_above(ranks: list[int]) -> None:
    value = float(median_rank("image_to_text").aggregate(sums_of(ranks, 2000).sum(axis=0)))
    assert value == pytest.approx(sorted(ranks)[(len(ranks) - 1) // 2], rel=0.105)


def test_the_median_s_interval_covers() -> None:
    metric = median_rank("image_to_text")
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        ranks = np.minimum(rng.geometric(0.1, 40), 500)
        found = interval("median", sums_of(ranks.tolist(), 500), metric.aggregate, 0, bounds=metric.bounds)
        assert found is not None
        covered += found.low <= 7 <= found.high  # the median of a geometric distribution with p = 0.1
    assert covered >= 186


def test_all_found_first_has_a_median_of_one_and_an_interval_at_it() -> None:
    metric = median_rank("image_to_text")
    found = interval("median", sums_of([1] * 30, 53), metric.aggregate, 0, bounds=metric.bounds)
    assert found is not None
    assert (found.low, found.high) == (1.0, 1.0)


@settings(max_examples=200)
@given(st.integers(1, 800), st.integers(1, 12), st.integers(1, 30), st.booleans(), st.integers(0, 2**32 - 1))
def test_ties_fall_as_in_torch(size: int, k: int, levels: int, ordered: bool, seed: int) -> None:
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(seed).integers(0, levels, size).astype(np.float32)
    values = np.sort(values) if ordered else values
    k = min(k, size)
    assert top(values, k) == set(torch.topk(torch.tensor(values)[None], k, dim=1).indices[0].tolist())


def test_every_k_of_the_reference_is_recorded() -> None:
    same = np.eye(30, dtype=np.float32)
    assert {place.own_within for place in places(same, same, np.arange(30))} == {UPSTREAM_K}
