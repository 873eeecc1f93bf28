"""Requests out to a foreign environment and answers back, and masks as NIfTI."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests_support import contents

import m3dbench as library
from m3dbench.data.geometry import Geometry, write_geometry

Command = Callable[..., subprocess.CompletedProcess[str]]
FOREIGN = Path(__file__).parent.parent / "support" / "foreign_model.py"


@pytest.mark.parametrize("task", ["vqa_closed", "report_generation", "rec", "seg_semantic"])
def test_a_plain_script_answers_and_its_answers_come_back(
    task: str, m3dbench: Command, phantom: Path, tmp_path: Path
) -> None:
    export, answers = tmp_path / "export", tmp_path / "answers" / "answers.jsonl"
    answers.parent.mkdir()
    m3dbench("export", "requests", "--task", task, "--data", phantom, "--out", export, "--limit", "12")
    subprocess.run([sys.executable, "-I", FOREIGN, export, answers], check=True, timeout=600)
    common = ["--task", task, "--data", phantom, "--limit", "12"]
    m3dbench("score", answers, *common, "--out", tmp_path / "scored", "--require-complete")
    replay = ["--model", "replay", "--model-option", f"file={answers}"]
    m3dbench("run", *replay, *common, "--out", tmp_path / "replayed")
    scored, replayed = (library.load_run(tmp_path / name).scores() for name in ("scored", "replayed"))
    assert len(scored)
    assert scored.equals(replayed)
    assert not (scored.status == "unscored").any() or task == "report_generation"
    if task == "seg_semantic":
        mask = library.load_run(tmp_path / "scored").mask(task, scored.id.unique()[1])
        assert mask is not None
        assert mask.mean() == pytest.approx(0.125)


def test_requests_hold_no_references_and_no_telling_names(m3dbench: Command, phantom: Path, tmp_path: Path) -> None:
    out = tmp_path / "export"
    m3dbench("export", "requests", "--task", "vqa_closed", "--data", phantom, "--out", out)
    rows = [json.loads(line) for line in (out / "requests.jsonl").read_text().splitlines()]
    fields = "id task answer kind wording question choices target description box volume grid"
    assert all(set(row) == set(fields.split()) for row in rows)
    assert all(row["volume"].startswith("volumes/0") for row in rows)
    assert "prediction" in (out / "README.txt").read_text()
    before = contents(out)
    m3dbench("export", "requests", "--task", "vqa_closed", "--data", phantom, "--out", out)
    assert contents(out) == before
    m3dbench("export", "requests", "--task", "rec", "--data", phantom, "--out", out, "--volumes", "paths")
    assert not list((out / "volumes").glob("*"))
    first = json.loads((out / "requests.jsonl").read_text().splitlines()[0])
    assert Path(first["volume"]).is_file()


def test_a_missing_volume_is_told_and_a_strange_folder_left_alone(
    m3dbench: Command, phantom: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(phantom / "M3D_Seg_npy", data / "M3D_Seg_npy")
    volume = sorted((data / "M3D_Seg_npy" / "0003").glob("*/image.npy"))[-1]
    volume.unlink()
    done = m3dbench("export", "requests", "--task", "rec", "--data", data, "--out", tmp_path / "e")
    rows = [json.loads(line) for line in (tmp_path / "e" / "requests.jsonl").read_text().splitlines()]
    broken = [row for row in rows if "volume_error" in row]
    assert f"{len(broken)} requests carry volume_error" in done.stderr
    assert broken
    assert "missing" in broken[0]["volume_error"]
    assert "other things" in m3dbench("export", "requests", "--task", "rec", "--out", data, code=2).stderr


def test_masks_go_out_in_native_space_where_the_way_back_is_known(
    m3dbench: Command, phantom: Path, tmp_path: Path
) -> None:
    nibabel = pytest.importorskip("nibabel")
    data, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(phantom / "M3D_Seg_npy", data / "M3D_Seg_npy")
    m3dbench("run", "--model", "oracle", "--task", "seg_semantic", "--datasets", "0003", "--data", data, "--out", run)
    images = sorted((data / "M3D_Seg_npy" / "0003").glob("*/image.npy"))
    for kept in data.rglob("geometry.json"):
        kept.unlink()
    case = {row.id: row for row in library.load_run(run).samples().itertuples()}
    first = next(iter(case))
    image = next(path for path in images if path.parent.name == first.split("/")[1])
    depth, height, width = np.load(image).shape[-3:]
    affine = ((-2.0, 0.0, 0.0, 5.0), (0.0, 2.0, 0.0, 6.0), (0.0, 0.0, 3.0, 7.0), (0.0, 0.0, 0.0, 1.0))
    geometry = Geometry(
        native_shape=(width, height, depth),
        native_affine=affine,
        native_axes="LAS",
        orientation=((2, False), (1, False), (0, True)),
        crop=((0, depth), (0, height), (0, width)),
        grid=(depth, height, width),
        spacing_mm=(3.0, 2.0, 2.0),
        hu_window=(-1024.0, 1000.0),
    )
    write_geometry(image.with_name("geometry.json"), geometry)
    done = m3dbench("export", "masks", run, "--out", tmp_path / "masks")
    assert "no geometry.json" in done.stderr
    rows = [json.loads(line) for line in (tmp_path / "masks" / "masks.jsonl").read_text().splitlines()]
    assert {row["space"] for row in rows} == {"native", "grid", None}
    predicted = library.load_run(run)
    for row in rows:
        mask = predicted.mask("seg_semantic", row["id"])
        if row["file"] is None:
            assert mask is None
            continue
        written = nibabel.load(tmp_path / "masks" / row["file"])
        assert mask is not None
        wanted = mask.transpose(2, 1, 0)[::-1] if row["space"] == "native" else mask.transpose(2, 1, 0)
        np.testing.assert_array_equal(np.asarray(written.dataobj) > 0, wanted)
        np.testing.assert_array_equal(written.affine, affine if row["space"] == "native" else np.eye(4))
    before = contents(tmp_path / "masks")
    m3dbench("export", "masks", run, "--out", tmp_path / "masks")
    assert contents(tmp_path / "masks") == before
