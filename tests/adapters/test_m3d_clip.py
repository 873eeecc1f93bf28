"""M3D-CLIP as an adapter, on a checkpoint of toy size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m3dbench import registry
from m3dbench.adapter import Context, Query
from m3dbench.adapters.m3d_clip.adapter import CUT, M3DClipAdapter
from m3dbench.data.sample import Request
from m3dbench.errors import UserError

GRID = (24, 64, 64)


@pytest.fixture(scope="module")
def clip(random_clip: Path) -> M3DClipAdapter:
    adapter: M3DClipAdapter = registry.create("adapters", "m3d-clip", {"weights": str(random_clip)})
    adapter.prepare(Context("retrieval", "embedding", 0, train=lambda: iter(())))
    return adapter


def query(seed: int, text: str) -> Query:
    volume = np.random.default_rng(seed).random((1, *GRID), dtype=np.float32)
    return Query(f"{seed}", "case", Request("match", description=text), volume=lambda: volume, grid=lambda: GRID)


def test_vectors_do_not_depend_on_the_batch(clip: M3DClipAdapter) -> None:
    queries = [query(seed, "the liver is in the image . " * (1 + 20 * seed)) for seed in range(5)]
    together = clip.predict(queries)
    for one, asked in zip(together, queries, strict=True):
        (alone,) = clip.predict([asked])
        for name in ("image_embedding", "text_embedding"):
            np.testing.assert_allclose(getattr(alone, name), getattr(one, name), atol=1e-5)
            assert np.linalg.norm(getattr(one, name)) == pytest.approx(1, abs=1e-5)


def test_a_long_report_loses_its_end_always_the_same(clip: M3DClipAdapter) -> None:
    start = "the liver is in the image . " * 72 + "a kidney the spleen is in"  # 510 tokens with room for both ends
    short, long, other = clip.predict(
        [query(0, start), query(0, start + " what" * 100), query(0, start + " no mask there" * 90)]
    )
    np.testing.assert_allclose(short.text_embedding, long.text_embedding, atol=1e-5)  # type: ignore[arg-type]
    np.testing.assert_allclose(long.text_embedding, other.text_embedding, atol=1e-5)  # type: ignore[arg-type]
    assert (short.notes, long.notes) == ((), (CUT,))


def test_the_checkpoint_of_another_model_is_named(random_lamed: Path) -> None:
    adapter: Any = registry.create("adapters", "m3d-clip", {"weights": str(random_lamed)})
    with pytest.raises(UserError, match="it has no 'img_size'"):
        adapter.prepare(Context("retrieval", "embedding", 0, train=lambda: iter(())))
