"""The overlay picture: that it is written, that it is oriented, and that bad input is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from m3dbench.errors import UserError
from m3dbench.report.overlay import overlay_png

pytest.importorskip("matplotlib", reason="needs m3dbench[site]")

SHAPE = (10, 40, 30)


def volume() -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).random(SHAPE).astype(np.float32) * 0.2


def ball() -> npt.NDArray[np.bool_]:
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[4:7, 25:33, 3:9] = True
    return mask


def picture(path: Path) -> npt.NDArray[Any]:
    from matplotlib.image import imread

    return np.asarray(imread(path))


def middle_of_colour(image: npt.NDArray[Any]) -> tuple[float, float]:
    """Row and column, as fractions, of the green outline of the first mask; title and legend left out."""
    inner = image[60:-60]
    rows, columns = np.nonzero((inner[..., 1] > 0.5) & (inner[..., 0] < 0.35) & (inner[..., 2] < 0.35))
    return float(rows.mean() / inner.shape[0]), float(columns.mean() / inner.shape[1])


def test_three_planes_with_masks_and_boxes(tmp_path: Path) -> None:
    boxes = {"liver": (0.4, 0.6, 0.1, 0.7, 0.85, 0.3), "elsewhere": (0.0, 0.0, 0.0, 0.1, 0.1, 0.1)}
    path = overlay_png(volume(), {"liver": ball()}, boxes, tmp_path / "new" / "a.png", spacing=(5, 1, 1), axes="SAR")
    image = picture(path)
    assert image.shape[1] > 2 * image.shape[0]
    again = overlay_png(volume(), {"liver": ball()}, boxes, tmp_path / "b.png", spacing=(5, 1, 1), axes="SAR")
    assert path.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    ("axes", "up", "left"),
    [(None, False, True), ("SAR", True, False), ("IPL", False, True), ("SPR", False, False)],
)
def test_the_view_is_radiological_when_the_axes_are_known(
    tmp_path: Path, axes: str | None, up: bool, left: bool
) -> None:
    path = overlay_png(volume(), {"m": ball()}, {}, tmp_path / "a.png", planes=("axial",), spacing=(1, 1, 1), axes=axes)
    row, column = middle_of_colour(picture(path))
    assert (row < 0.5) is up
    assert (column < 0.5) is left


@pytest.mark.parametrize("boxes", [{}, {"box": (0.2, 0.2, 0.2, 0.4, 0.4, 0.4)}])
def test_nothing_or_a_box_alone_can_be_shown(tmp_path: Path, boxes: dict[str, Any]) -> None:
    empty = np.zeros(SHAPE, dtype=np.bool_)
    assert overlay_png(volume(), {"none": empty}, boxes, tmp_path / "a.png").is_file()
    assert overlay_png(np.zeros(SHAPE), {}, boxes, tmp_path / "b.png", planes=["sagittal"]).is_file()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"planes": ("oblique",)}, "planes"),
        ({"planes": ()}, "planes"),
        ({"axes": "RAS"}, "axes"),
        ({"axes": "SA"}, "axes"),
        ({"masks": {"liver": np.ones((2, 2, 2), dtype=np.bool_)}}, "liver"),
        ({"volume": np.zeros((1, *SHAPE))}, "volume"),
    ],
)
def test_bad_input_is_told(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    given = {"volume": volume(), "masks": {}, "boxes": {}, "path": tmp_path / "a.png", **change}
    with pytest.raises(UserError, match=text):
        overlay_png(given.pop("volume"), given.pop("masks"), given.pop("boxes"), given.pop("path"), **given)
