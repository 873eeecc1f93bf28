"""The picture of slice weights: every slice under its bar, the heaviest marked, and bad input told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from m3dbench.data.prediction import SliceWeights
from m3dbench.errors import DataError
from m3dbench.report.slice_figure import depths_of, slices_png

pytest.importorskip("matplotlib", reason="needs m3dbench[site]")


def weights(count: int, heavy: int) -> SliceWeights:
    shares = np.full(count, 0.5 / (count - 1))
    shares[heavy] = 0.5
    return SliceWeights(tuple(shares.tolist()), 0, count)


def red(path: Path) -> npt.NDArray[np.bool_]:
    from matplotlib.image import imread

    image: npt.NDArray[Any] = np.asarray(imread(path))
    return np.asarray((image[..., 0] > 0.7) & (image[..., 1] < 0.3) & (image[..., 2] < 0.3))


def test_the_heaviest_slice_stands_out_over_its_picture(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).random((8, 20, 20)).astype(np.float32)
    path = slices_png(
        volume, weights(8, 5), tmp_path / "new" / "a.png", question="where $x ?", answer="there", title="t"
    )
    marked = red(path)
    heights = marked.sum(axis=0)
    middle = float(np.flatnonzero(heights > 0.5 * heights.max()).mean()) / marked.shape[1]
    assert 0.6 < middle < 0.78, "the sixth of eight columns"
    again = slices_png(volume, weights(8, 5), tmp_path / "b.png", question="where $x ?", answer="there", title="t")
    assert path.read_bytes() == again.read_bytes()


def test_many_slices_go_into_several_rows(tmp_path: Path) -> None:
    from matplotlib.image import imread

    volume = np.random.default_rng(0).random((40, 10, 10)).astype(np.float32)
    few = np.asarray(imread(slices_png(volume[:16], weights(16, 2), tmp_path / "few.png")))
    many = np.asarray(imread(slices_png(volume, weights(40, 20), tmp_path / "many.png")))
    assert many.shape[1] == few.shape[1]
    assert many.shape[0] > 2 * few.shape[0]


def test_a_part_is_shown_by_its_middle_voxel() -> None:
    assert depths_of(SliceWeights((0.25,) * 4, 2, 6), 8) == [2, 3, 4, 5]
    assert depths_of(SliceWeights((0.25,) * 4, 0, 2), 8) == [0, 0, 1, 1]
    assert depths_of(SliceWeights((0.5, 0.5), 0, 8), 8) == [2, 6]
    for wrong in (SliceWeights((), 0, 4), SliceWeights((1.0,), 0, 9), SliceWeights((1.0,), 4, 4)):
        with pytest.raises(DataError, match="the volume has 8"):
            depths_of(wrong, 8)
