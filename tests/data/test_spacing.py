"""The spacing of a volume's grid: read from ``geometry.json`` beside it, never guessed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from m3dbench.data.files import DataFiles
from m3dbench.data.geometry import Geometry, write_geometry
from m3dbench.data.sample import FileRef
from m3dbench.errors import DataError

GRID = (4, 6, 5)
REF = FileRef("a/image.npy")
GEOMETRY = Geometry(
    native_shape=(10, 12, 8),
    native_affine=((1.0, 0.0, 0.0, 0.0), (0.0, 2.0, 0.0, 0.0), (0.0, 0.0, 3.0, 0.0), (0.0, 0.0, 0.0, 1.0)),
    native_axes="RAS",
    orientation=((2, False), (1, False), (0, False)),
    crop=((0, 8), (0, 12), (0, 10)),
    grid=GRID,
    spacing_mm=(6.0, 4.0, 2.0),
    hu_window=(0.0, 1.0),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    np.save(tmp_path / "a/image.npy", np.zeros((1, *GRID), dtype=np.float32))
    write_geometry(tmp_path / "a/geometry.json", GEOMETRY)
    return tmp_path


def test_read_in_the_order_of_the_grid(root: Path) -> None:
    assert DataFiles(root).spacing(REF) == (6.0, 4.0, 2.0)
    assert np.linalg.norm(GEOMETRY.grid_affine[:3, :3], axis=0) == pytest.approx((6.0, 4.0, 2.0))


def test_unknown_without_the_file(root: Path) -> None:
    shutil.copytree(root / "a", root / "b")
    (root / "b/geometry.json").unlink()
    files = DataFiles(root)
    assert files.spacing(FileRef("b/image.npy")) is None
    assert files.spacing(REF) is not None
    assert files.spacing(None) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [({"spacing_mm": [6.0, 0.0, 2.0]}, "spacing_mm"), ({"grid": [4, 5, 6]}, "grid"), ({"crop": None}, None)],
)
def test_a_wrong_one_is_an_error_with_its_file(root: Path, change: dict[str, object], field: str | None) -> None:
    path = root / "a/geometry.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError) as caught:
        DataFiles(root).spacing(REF)
    assert caught.value.file == "a/geometry.json"
    assert field is None or caught.value.field == field


def test_a_torn_one_is_an_error(root: Path) -> None:
    (root / "a/geometry.json").write_text("{")
    with pytest.raises(DataError, match="geometry"):
        DataFiles(root).spacing(REF)
