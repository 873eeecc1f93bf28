"""The way from a native scan to the grid and back, on an asymmetric volume with odd orientations and on real CT."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from m3dbench.data.convert.place import place_scan
from m3dbench.data.convert.resample import resample_image, resample_mask
from m3dbench.data.geometry import Geometry, orient, read_geometry, to_grid, to_native, unorient, write_geometry
from m3dbench.data.raw import Scan, read_scan
from m3dbench.data.raw.nifti import read_labels
from m3dbench.errors import UserError

pytest.importorskip("nibabel", reason="needs m3dbench[data]")

SHARED = Path(os.environ.get("M3DBENCH_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "totalsegmentator"
LETTERS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
Bools = npt.NDArray[np.bool_]


def affine_of(axes: str, sizes: tuple[float, float, float], tilt: float = 0.0) -> npt.NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, letter in enumerate(axes):
        world, sign = LETTERS[letter]
        affine[world, axis] = sign * sizes[axis]
    cos, sin = np.cos(tilt), np.sin(tilt)
    affine[:3, :3] = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ affine[:3, :3]
    affine[:3, 3] = (-31.0, 12.5, 400.0)
    return affine


def volume_of(shape: tuple[int, int, int]) -> npt.NDArray[np.int16]:
    values = np.full(shape, -1000, dtype=np.int16)
    values[2:-3, 1:-2, 1:-1] = 50
    values[3:6, 4:9, 2:5] = 700
    return values


def dice(first: Bools, second: Bools) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def moved(affine: npt.NDArray[np.float64], index: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(affine[:3, :3] @ index + affine[:3, 3])


@pytest.mark.parametrize("axes", ["RAS", "LPI", "SLA", "PIR", "LAS"])
@pytest.mark.parametrize("tilt", [0.0, 0.2])
def test_there_and_back_on_the_same_voxels_loses_nothing(axes: str, tilt: float) -> None:
    data = volume_of((20, 26, 14))
    scan = Scan(Path("ct.nii.gz"), data, affine_of(axes, (1.5, 2.0, 3.0), tilt))
    plain, _ = place_scan(scan, (8, 8, 8))
    sizes = [stop - start for start, stop in plain.crop]
    geometry, image = place_scan(scan, (sizes[0], sizes[1], sizes[2]))
    mask = data > 500

    grid_mask, thin = to_grid(mask, geometry)
    native, affine = to_native(grid_mask, geometry)

    assert not thin
    assert np.array_equal(native, mask)
    assert np.array_equal(affine, scan.affine)
    low, high = geometry.hu_window
    assert np.allclose(image * (high - low) + low, orient(data, geometry), atol=0.01)


@pytest.mark.parametrize("axes", ["RAS", "LPI", "SLA", "PIR"])
def test_the_grid_runs_to_superior_anterior_and_right(axes: str) -> None:
    scan = Scan(Path("ct.nii.gz"), volume_of((20, 26, 14)), affine_of(axes, (1.5, 2.0, 3.0), 0.2))
    geometry, _ = place_scan(scan, (10, 32, 16))

    steps = geometry.grid_affine[:3, :3]

    assert [int(np.abs(steps[:, axis]).argmax()) for axis in range(3)] == [2, 1, 0]
    assert all(steps[world, axis] > 0 for axis, world in enumerate((2, 1, 0)))
    assert np.allclose(np.linalg.norm(steps, axis=0), geometry.spacing_mm)


def test_a_landmark_keeps_its_place_in_the_world() -> None:
    data = np.full((20, 26, 14), -900, dtype=np.int16)
    data[0, 0, 0], data[-1, -1, -1] = 100, 100
    mask = np.zeros(data.shape, dtype=np.bool_)
    mask[4, 20, 3] = True
    scan = Scan(Path("ct.nii.gz"), data, affine_of("LPI", (1.0, 1.0, 1.0), 0.3))
    geometry, _ = place_scan(scan, (28, 52, 40))

    grid_mask, _ = to_grid(mask, geometry)

    centre = np.argwhere(grid_mask).mean(axis=0)
    assert np.allclose(moved(geometry.grid_affine, centre), moved(scan.affine, np.array([4.0, 20.0, 3.0])), atol=0.3)


def test_the_crop_is_put_back() -> None:
    data = np.full((20, 26, 14), -1024, dtype=np.int16)
    data[5:15, 6:20, 2:12] = 60
    scan = Scan(Path("ct.nii.gz"), data, affine_of("LPI", (2.0, 2.0, 2.0)))
    geometry, image = place_scan(scan, (10, 14, 10))

    native, _ = to_native(np.ones((10, 14, 10), dtype=np.bool_), geometry)

    assert geometry.crop == ((2, 12), (6, 20), (5, 15))
    assert np.array_equal(native, data > 0)
    assert image.min() > 0.4


def test_thin_structures_survive_few_slices() -> None:
    mask = np.zeros((60, 40, 40), dtype=np.bool_)
    mask[:, 20, 10] = True
    mask[31, 5:8, 5:8] = True

    small, thin = resample_mask(mask, (8, 16, 16))

    assert thin
    assert small.any(axis=(1, 2)).all()
    share = float(small.mean() / mask.mean())
    # A voxel of the grid is 47 times a native one, so "as much volume" cannot be met by a line.
    assert 0.9 < share < 2.5**2


@pytest.mark.parametrize("place", list(itertools.product((0, 29), (0, 39), (0, 39))))
def test_one_voxel_never_vanishes(place: tuple[int, int, int]) -> None:
    mask = np.zeros((30, 40, 40), dtype=np.bool_)
    mask[place] = True

    small, thin = resample_mask(mask, (4, 8, 64))

    assert thin
    assert small.any()


def test_an_empty_mask_stays_empty() -> None:
    small, thin = resample_mask(np.zeros((4, 5, 6), dtype=np.bool_), (2, 10, 3))
    assert not thin
    assert small.shape == (2, 10, 3)
    assert not small.any()


def test_linear_interpolation_of_a_ramp_is_the_ramp_inside() -> None:
    ramp = np.broadcast_to(np.arange(10.0)[:, None, None], (10, 3, 3))
    finer = resample_image(ramp, (20, 3, 3))[:, 1, 1]
    assert np.allclose(finer[1:-1], np.arange(1, 19) * 0.5 - 0.25)
    assert np.allclose(resample_image(ramp, (10, 3, 3)), ramp)


def test_geometry_json_round_trip_and_equal_bytes(tmp_path: Path) -> None:
    scan = Scan(Path("ct.nii.gz"), volume_of((20, 26, 14)), affine_of("LPI", (1.5, 2.0, 3.0), 0.2))
    geometry, _ = place_scan(scan, (10, 32, 16))
    write_geometry(tmp_path / "one.json", geometry)
    write_geometry(tmp_path / "two.json", read_geometry(tmp_path / "one.json"))

    assert read_geometry(tmp_path / "one.json") == geometry
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


@pytest.mark.parametrize("damage", ["missing", "torn", "format", "field"])
def test_a_damaged_geometry_names_its_file(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "geometry.json"
    geometry, _ = place_scan(Scan(path, volume_of((20, 26, 14)), affine_of("RAS", (1.0, 1.0, 1.0))), (8, 8, 8))
    write_geometry(path, geometry)
    content = json.loads(path.read_text())
    match damage:
        case "missing":
            path.unlink()
        case "torn":
            path.write_text(path.read_text()[:100])
        case "format":
            path.write_text(json.dumps(content | {"format": 99}))
        case _:
            path.write_text(json.dumps({key: value for key, value in content.items() if key != "crop"}))
    with pytest.raises(UserError, match=r"geometry\.json"):
        read_geometry(path)


def test_a_mask_of_another_shape_is_refused() -> None:
    scan = Scan(Path("ct"), volume_of((20, 26, 14)), affine_of("RAS", (1.0, 1.0, 1.0)))
    geometry, _ = place_scan(scan, (8, 8, 8))
    with pytest.raises(UserError, match="native_shape"):
        to_grid(np.ones((3, 3, 3), dtype=np.bool_), geometry)
    with pytest.raises(UserError, match="grid"):
        to_native(np.ones((3, 3, 3), dtype=np.bool_), geometry)


@pytest.mark.skipif(not (SHARED / "case_b" / "ct.nii.gz").is_file(), reason="no real CT (M3DBENCH_SHARED)")
@pytest.mark.parametrize(("case", "least"), [("case_a", 0.90), ("case_b", 0.95)])
def test_big_organs_of_real_ct_come_back(case: str, least: float) -> None:
    table = {name: int(key) for key, name in json.loads((SHARED / "labels.json").read_text()).items()}
    scan = read_scan(SHARED / case / "ct.nii.gz")
    labels = read_labels(SHARED / case / "labels.nii.gz", scan)
    geometry, _ = place_scan(scan, (32, 256, 256))
    for name in ("liver", "spleen", "lung_lower_lobe_right", "vertebrae_L1"):
        mask = labels == table[name]
        native, _ = to_native(to_grid(mask, geometry)[0], geometry)
        assert dice(native, mask) > least, name


def test_unorient_inverts_orient() -> None:
    data = np.arange(20 * 26 * 14).reshape(20, 26, 14)
    for axes in ("RAS", "SLA", "PIR"):
        scan = Scan(Path("ct"), data, affine_of(axes, (1.0, 1.0, 1.0)))
        geometry: Geometry = place_scan(scan, (4, 4, 4))[0]
        assert np.array_equal(unorient(orient(data, geometry), geometry), data)
