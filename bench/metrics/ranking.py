"""From embeddings to places: every query against its whole pool, block by block. The heavy part of retrieval."""

from __future__ import annotations

import unicodedata

import numpy as np
import numpy.typing as npt

from m3dbench.metrics.pairs import Place
from m3dbench.metrics.topk import top

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.floating]
Views = npt.NDArray[np.integer] | None

UPSTREAM_K = (1, 5, 10)
DECIMALS = 6
BLOCK_ELEMENTS = 2_000_000
"""Similarities in memory at a time: 16 MB of float64."""


def text_key(text: str) -> str:
    """The normalised text: NFKC, case-folded, runs of white space one space. Equal keys are the same text."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def places(
    queries: Vectors,
    gallery: Vectors,
    groups: npt.NDArray[np.integer],
    *,
    query_views: Views = None,
    gallery_views: Views = None,
    block_elements: int = BLOCK_ELEMENTS,
) -> list[Place]:
    """The place of every query among the gallery.

    queries, gallery: (rows, dimensions), item i of one belongs to item i of the other; groups: (n,), items of equal
    number are relevant to each other. query_views, gallery_views: (n,), how many rows in a row are an item's, None
    where each has one. The similarity of two items is the largest cosine of their rows, in float64 rounded to 1e-6:
    what two computations of one value may differ by is a tie. The reference's own hits are of the query's own item and
    of similarities in float32.

    Memory beyond the arguments does not grow with n: blocks hold at most ``block_elements`` similarities (or those of
    one query). ValueError for shapes that do not fit or a row without direction.
    """
    asked, stored = _bounds(query_views, len(queries)), _bounds(gallery_views, len(gallery))
    fit = queries.ndim == gallery.ndim == 2 and queries.shape[1] == gallery.shape[1]
    if not fit or not len(asked) == len(stored) == len(groups) + 1:
        raise ValueError(f"queries {queries.shape}, gallery {gallery.shape} and groups {groups.shape} do not fit")
    count = len(groups)
    most = int(np.diff(asked).max(initial=1))
    rows = max(1, block_elements // (most * max(len(gallery), queries.shape[1])))
    found: list[Place] = []
    for start in range(0, count, rows):
        block = slice(start, min(start + rows, count))
        views = slice(asked[block.start], asked[block.stop])
        similarity = _cosines(_unit(queries[views]), gallery, max(1, block_elements // queries.shape[1]))
        similarity = _best(similarity, asked[block.start : block.stop] - asked[block.start], stored[:-1])
        relevant = groups[block, np.newaxis] == groups
        own = [_own_within(row, start + index) for index, row in enumerate(similarity.astype(np.float32))]
        np.round(similarity, DECIMALS, out=similarity)
        best = np.where(relevant, similarity, -np.inf).max(axis=1, keepdims=True)
        better = np.count_nonzero(similarity > best, axis=1)
        tie = similarity == best
        tied = np.count_nonzero(tie, axis=1)
        hits = np.count_nonzero(tie & relevant, axis=1)
        found += map(Place, better.tolist(), tied.tolist(), hits.tolist(), own)
    return found


def _bounds(views: Views, rows: int) -> IntArray:
    """(n + 1,): where each item's rows begin, and where the last one's end."""
    if views is None:
        return np.arange(rows + 1)
    if len(views) and (int(views.min()) < 1 or int(views.sum()) != rows):
        raise ValueError(f"{len(views)} items of {int(views.sum())} rows do not fit {rows} rows")
    return np.concatenate([[0], np.cumsum(views)]).astype(np.int64)


def _best(similarity: FloatArray, queries: IntArray, gallery: IntArray) -> FloatArray:
    """(rows, rows) to (items, items): the largest of each item's rows, whose beginnings are given."""
    if len(gallery) < similarity.shape[1]:
        similarity = np.maximum.reduceat(similarity, gallery, axis=1)
    if len(queries) < similarity.shape[0]:
        similarity = np.maximum.reduceat(similarity, queries, axis=0)
    return similarity


def _unit(rows: npt.NDArray[np.floating]) -> FloatArray:
    wide = rows.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    if not (np.isfinite(length).all() and (length > 0).all()):
        raise ValueError("an embedding is zero or not finite")
    return np.asarray(wide / length, dtype=np.float64)


def _cosines(queries: FloatArray, gallery: npt.NDArray[np.floating], rows: int) -> FloatArray:
    """(queries, gallery) cosines; the gallery is normalised ``rows`` at a time, so that no wide copy of it is held."""
    cosines = np.empty((len(queries), len(gallery)))
    for start in range(0, len(gallery), rows):
        cosines[:, start : start + rows] = queries @ _unit(gallery[start : start + rows]).T
    return cosines


def _own_within(row: npt.NDArray[np.float32], own: int) -> tuple[int, ...]:
    better = int(np.count_nonzero(row > row[own]))
    tied = int(np.count_nonzero(row == row[own]))
    within = []
    for k in UPSTREAM_K:
        if better >= k or k > len(row):
            continue
        if better + tied <= k or own in top(row, k):
            within.append(k)
    return tuple(within)
