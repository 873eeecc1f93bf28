"""Slices as pictures: the right ones, the right way round, windowed, scaled, in a montage."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from m3dbench.data.slices import Slices, Window, indices, montage, pictures, png
from m3dbench.errors import UserError

FULL = (Window(0.0, 1.0),)


def marked() -> np.ndarray:
    """(1, 6, 8, 10), every voxel another value, so that no flip or turn goes unseen."""
    return np.linspace(0.0, 1.0, 480, dtype=np.float32).reshape(1, 6, 8, 10)


@pytest.mark.parametrize("axis", ["d", "h", "w"])
@pytest.mark.parametrize("flip", ["", "d", "hw", "dhw"])
def test_pictures_are_the_slices_of_an_asymmetric_volume(axis: str, flip: str) -> None:
    volume = marked()
    shown = pictures(volume, Slices(axis=axis, count=99, windows=FULL, size=0, flip=flip))
    seen = volume[0]
    for place, name in enumerate("dhw"):
        seen = np.flip(seen, place) if name in flip else seen
    place = "dhw".index(axis)
    assert len(shown) == volume.shape[1 + place]
    for index, picture in enumerate(shown):
        expected = np.rint(np.take(seen, index, axis=place) * 255)
        assert picture.dtype == np.uint8
        np.testing.assert_array_equal(picture, expected)


@given(st.integers(1, 300), st.integers(1, 60), st.sampled_from(["middle", "ends", "upstream"]))
def test_chosen_slices_rise_and_spread(length: int, count: int, rule: str) -> None:
    chosen = indices(length, count, rule)  # type: ignore[arg-type]
    assert chosen == sorted(set(chosen))
    assert chosen[0] >= 0
    assert chosen[-1] < length
    if length <= count:
        assert chosen == list(range(length))
    elif rule == "upstream":
        assert count <= len(chosen) < 2 * count + 1
        assert chosen == list(range(length))[:: length // count]
    else:
        assert len(chosen) == count
        gaps = np.diff(chosen)
        assert count == 1 or gaps.max() - gaps.min() <= 1
    if rule == "ends" and 1 < count < length:
        assert (chosen[0], chosen[-1]) == (0, length - 1)
    if rule == "middle" and count < length:
        assert abs((chosen[0] + chosen[-1]) - (length - 1)) <= 1


def test_windows_follow_the_volume_or_are_given() -> None:
    body = np.zeros((4, 20, 20), dtype=np.float32)
    body[:, 5:15, 5:15] = np.linspace(0.4, 0.6, 400).reshape(4, 10, 10)
    low, high = Window().bounds(body)
    assert 0.4 < low < 0.45
    assert 0.59 < high <= 0.6
    assert Window.parse("full").bounds(body) == (0.0, 1.0)
    assert Window.parse("0.34..0.5").bounds(body) == (0.34, 0.5)
    two = pictures(body, Slices(count=2, windows=(Window(0, 1), Window(0.4, 0.5)), size=0))
    assert len(two) == 4
    assert two[2][6, 6] < two[3][14, 14] == 255
    assert two[1][0, 0] == 0
    for wrong in ("bone", "0.5..0.4", "1", "nan..1"):
        with pytest.raises(UserError):
            Window.parse(wrong)
    flat = np.ones((2, 4, 4), dtype=np.float32)
    assert {value for picture in pictures(flat, Slices(count=2)) for value in np.unique(picture)} == {0}


def test_sizes_and_montage() -> None:
    volume = marked()
    parts = pictures(volume, Slices(count=5, windows=FULL, size=32))
    assert [part.shape for part in parts] == [(32, 32)] * 5
    (whole,) = pictures(volume, Slices(count=5, windows=FULL, size=32, montage=3))
    assert whole.shape == (2 * 32 + 4, 3 * 32 + 2 * 4)
    np.testing.assert_array_equal(whole[:32, 36:68], parts[1])
    np.testing.assert_array_equal(whole[36:, 36:68], parts[4])
    assert not whole[36:, 72:].any()
    assert montage(parts, 99).shape == (32, 5 * 32 + 4 * 4)
    read = np.asarray(Image.open(io.BytesIO(png(whole))))
    np.testing.assert_array_equal(read, whole)


@pytest.mark.parametrize(
    "wrong", [{"axis": "x"}, {"axis": "dh"}, {"count": 0}, {"flip": "q"}, {"rule": "all"}, {"windows": ()}]
)
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError):
        Slices(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no volume"):
        pictures(np.zeros((2, 3, 4, 5)), Slices())


def test_a_real_scan_has_contrast_in_every_plane(shared: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    scan = nibabel.as_closest_canonical(nibabel.load(shared / "data" / "totalsegmentator" / "case_b" / "ct.nii.gz"))
    hounsfield = np.asarray(scan.dataobj, dtype=np.float32).transpose(2, 1, 0)
    volume = np.clip((hounsfield + 1024) / 2524, 0, 1)
    for axis in "dhw":
        (whole,) = pictures(volume, Slices(axis=axis, count=6, size=96, montage=3))
        assert whole.shape == (2 * 96 + 4, 3 * 96 + 8)
        assert whole.std() > 50
        dark, bright = np.percentile(whole[whole > 10], (10, 90))
        assert bright - dark > 45  # of which a window over all values leaves fewer
