"""What the viewer's documents say of a run, against the run's own files."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from m3dbench.data.sample import Sample
from m3dbench.errors import DataError, UserError
from m3dbench.report.viewer.documents import Viewer
from m3dbench.report.viewer.windows import windows_of
from m3dbench.runs import jsonl
from m3dbench.runs.load import load_run


def unpacked(document: dict) -> np.ndarray:  # type: ignore[type-arg]
    """The voxels (D, H, W) of a montage, as the pages read them."""
    content = base64.b64decode(document["png"].removeprefix("data:image/png;base64,"))
    picture = np.asarray(Image.open(io.BytesIO(content)))
    depth, height, width = document["grid"]
    step = height + document["gap"], width + document["gap"]
    columns = document["columns"]
    corners = [(index // columns * step[0], index % columns * step[1]) for index in range(depth)]
    return np.stack([picture[top : top + height, left : left + width] for top, left in corners])


def test_the_list_holds_every_sample_with_the_scores_of_the_run(run_a: Path) -> None:
    viewer = Viewer([run_a])
    piece = viewer.document("1/list/0")
    scores = load_run(run_a).scores("seg_semantic")
    dice = scores[(scores.metric == "dice") & (scores.scoring == "corrected")].set_index("id")["value"]
    assert piece["ids"] == list(dice.index)
    np.testing.assert_allclose(np.asarray(piece["runs"][0]["values"]["corrected:dice"], float), dice, atol=1e-6)
    assert set(piece["strata"]) >= {"class", "presence", "size"}
    assert all(len(column) == len(piece["ids"]) for column in piece["strata"].values())


def test_disagreements_are_those_of_diff(run_a: Path) -> None:
    from m3dbench.report.diff import diff_run
    from m3dbench.runs.folder import RunFolder

    (found,) = diff_run(RunFolder.open(run_a), ["seg_semantic"])
    piece = Viewer([run_a]).document("1/list/0")
    differing = {piece["ids"][int(place)]: set(names) for place, names in piece["runs"][0]["differs"].items()}
    expected: dict[str, set[str]] = {}
    for item in found.items:
        expected.setdefault(item.id, set()).add(item.metric)
    assert differing == expected
    assert expected


def test_a_sample_tells_request_reference_answer_and_the_judges_reasons(run_a: Path) -> None:
    page = Viewer([run_a]).document("2/samples/0")
    sample = page["samples"][1]
    manifest = [Sample.from_json(row) for row in jsonl.read(run_a / "vqa_closed" / "manifest.jsonl")]
    assert sample["request"]["wording"] == manifest[1].request.wording
    assert sample["reference"]["choice"] == manifest[1].reference.choice
    (judged,) = sample["runs"][0]["judged"]
    assert (judged["model"], judged["status"]) == ("some-judge", "scored")
    assert judged["verdict"]["matched"] == ["the spleen"]
    assert page["samples"][2]["runs"][0]["status"] == "error"


def test_volumes_and_masks_come_back_voxel_by_voxel(run_a: Path, few_cases: Path) -> None:
    viewer = Viewer([run_a])
    sample = viewer.document("1/samples/0")["samples"][0]
    manifest = next(Sample.from_json(row) for row in jsonl.read(run_a / "seg_semantic" / "manifest.jsonl"))
    assert manifest.volume is not None
    values = np.load(few_cases / manifest.volume.path)[0].astype(np.float32)
    volume = viewer.document(f"volume/{sample['volume']}")
    low, high = volume["range"]
    np.testing.assert_allclose(low + unpacked(volume) / 255 * (high - low), values, atol=(high - low) / 500)
    mask = load_run(run_a).mask("seg_semantic", manifest.id)
    assert mask is not None
    document = viewer.document("1/mask/0/0")
    assert document["voxels"] == mask.sum()
    np.testing.assert_array_equal(unpacked(document) > 0, mask)


def test_nifti_has_the_voxels_in_the_orientation_of_the_picture(run_a: Path) -> None:
    viewer = Viewer([run_a])
    viewer.document("1/samples/0")
    image = nibabel.Nifti1Image.from_bytes(viewer.nifti("1/mask/0/0"))
    mask = load_run(run_a).mask("seg_semantic", viewer.document("1/list/0")["ids"][0])
    assert mask is not None
    np.testing.assert_array_equal(np.asarray(image.dataobj).transpose(2, 1, 0) > 0, mask)
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "I")


def test_fewer_samples_are_told_as_such(run_a: Path) -> None:
    task = Viewer([run_a], limit=2).document("overview")["tasks"][0]
    assert task["count"] == 2
    assert task["of"] == len(load_run(run_a).samples(task["name"])) > 2


def test_a_second_run_stands_beside_the_first(run_a: Path, run_b: Path) -> None:
    viewer = Viewer([run_a, run_b])
    overview = viewer.document("overview")
    assert [run["name"] for run in overview["runs"]] == ["first", "second"]
    assert [task["runs"][1] is None for task in overview["tasks"]] == [True, False, False]
    first, second = viewer.document("2/samples/0")["samples"][1]["runs"]
    assert first["text"] == load_run(run_a).predictions("vqa_closed")["text"][1]
    assert second["text"] == load_run(run_b).predictions("vqa_closed")["text"][1]
    assert viewer.document("0/samples/0")["samples"][0]["runs"][1] is None


@pytest.mark.parametrize(
    "key",
    [
        "3/list/0",
        "0/list/1",
        "0/samples/99",
        "volume/99",
        "2/mask/0/0",
        "1/mask/0/1",
        "../run",
        "0/list/-1",
        "run.json",
    ],
)
def test_other_keys_lead_nowhere(run_a: Path, key: str) -> None:
    with pytest.raises(KeyError):
        Viewer([run_a]).document(key)


def test_texts_and_scores_remain_when_the_data_are_gone(long_run: Path) -> None:
    viewer = Viewer([long_run])
    assert viewer.document("overview")["tasks"][0]["gone"].endswith("nowhere")
    sample = viewer.document("0/samples/3")["samples"][0]
    assert sample["runs"][0]["text"] == "answer 60"
    assert sample["runs"][0]["scores"][0]["value"] == 0.0
    assert "no longer there" in viewer.document("volume/0")["error"]


def test_an_unfinished_run_is_shown_as_far_as_it_is(long_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "unfinished"
    shutil.copytree(long_run, run)
    folder = run / "vqa_open"
    (folder / "scores.jsonl").unlink()
    (folder / "summary.json").unlink()
    journal = folder / "predictions.jsonl"
    journal.write_bytes(journal.read_bytes()[:2000])
    piece = Viewer([run]).document("0/list/0")
    assert piece["runs"][0]["status"][0] == "ok"
    assert piece["runs"][0]["status"][-1] == "missing"
    assert piece["runs"][0]["values"] == {}


def test_a_run_cannot_point_outside_of_its_folder(long_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "sly"
    shutil.copytree(long_run, run)
    content = json.loads((run / "run.json").read_text(encoding="utf-8"))
    content["tasks"]["vqa_open"]["folder"] = "../elsewhere"
    (run / "run.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match="leaves"):
        Viewer([run]).document("overview")


def test_volumes_stay_inside_the_data_root(long_run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "secret.npy", np.random.default_rng(0).random((1, 2, 3, 4), dtype=np.float32))
    (tmp_path / "data").mkdir()
    run = tmp_path / "sly"
    shutil.copytree(long_run, run)
    manifest = run / "vqa_open" / "manifest.jsonl"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("gone.npy", "../secret.npy"), encoding="utf-8")
    viewer = Viewer([run], data=tmp_path / "data")
    viewer.document("0/samples/0")
    assert "leaves the data root" in viewer.document("volume/0")["error"]
    with pytest.raises(UserError):
        viewer.nifti("volume/0")


def test_windows_are_in_hu_where_the_data_know_them() -> None:
    values = np.linspace(0, 1, 1000, dtype=np.float32).reshape(10, 10, 10)
    known = {row["name"]: row for row in windows_of(values, (0.0, 1.0), (-1000.0, 1000.0))}
    assert known["soft tissue"]["hu"] == [-160, 240]
    assert (known["soft tissue"]["low"], known["soft tissue"]["high"]) == pytest.approx((0.42, 0.62))
    narrow = [row["name"] for row in windows_of(values, (0.0, 1.0), (-160.0, 240.0))]
    assert "soft tissue" in narrow
    assert "lung" not in narrow
    unknown = windows_of(values, (0.0, 1.0), None)
    assert [row["name"] for row in unknown] == ["auto", "full", "dark half", "bright half"]
    assert all("hu" not in row for row in unknown)
