"""pmc-clip and clip: what is shown of a volume, one vector a slice, and the command line; at toy size."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from random_slice_models import make_clip, make_pmc_clip

from m3dbench import registry
from m3dbench.adapter import Context, Query
from m3dbench.data.sample import Request
from m3dbench.errors import UserError

GRID = (24, 40, 50)
CONTEXT = Context("retrieval", "embedding", 0, train=lambda: iter(()))
Call = Callable[..., int]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Path]]:
    """Name -> adapter and folder."""
    root = tmp_path_factory.mktemp("slice_models")
    return {
        "pmc-clip": ("pmc-clip", make_pmc_clip(root / "pmc")),
        "clip": ("clip", make_clip(root / "clip")),
        "siglip": ("clip", make_clip(root / "siglip", siglip=True)),
    }


def made(model: tuple[str, Path], **options: Any) -> Any:
    adapter = registry.create("adapters", model[0], {"weights": str(model[1]), **options})
    adapter.prepare(CONTEXT)
    return adapter


def query(seed: int, text: str = "the liver", grid: tuple[int, int, int] = GRID) -> Query:
    volume = np.random.default_rng(seed).random((1, *grid), dtype=np.float32)
    return Query(f"{seed}", "case", Request("match", description=text), lambda: volume, lambda: grid)


@pytest.mark.parametrize("name", ["pmc-clip", "clip", "siglip"])
def test_one_vector_a_slice_whatever_the_batch(models: dict[str, tuple[str, Path]], name: str) -> None:
    adapter = made(models[name])
    queries = [query(0), query(1, "a mask in the spleen ? " * 30), query(2, grid=(7, 40, 50))]
    together = adapter.predict(queries)
    assert [len(one.image_embedding) for one in together] == [10, 10, 7]
    assert ["longer than" in " ".join(one.notes) for one in together] == [False, True, False]
    for one, asked in zip(together, queries, strict=True):
        (alone,) = adapter.predict([asked])
        np.testing.assert_allclose(alone.image_embedding, one.image_embedding, atol=1e-5)
        np.testing.assert_allclose(alone.text_embedding, one.text_embedding, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(one.image_embedding, axis=1), 1, atol=1e-5)
    (again,) = adapter.predict([query(3, "a mask in the spleen ? " * 40)])
    np.testing.assert_allclose(again.text_embedding, together[1].text_embedding, atol=1e-5)


def test_the_options_choose_slices_and_are_facts(models: dict[str, tuple[str, Path]]) -> None:
    asked = query(5)
    ends = made(models["clip"], slices=3)
    middles = made(models["clip"], slices=3, endpoints=False)
    volume = asked.volume()
    (found,) = ends.predict([replace(asked, volume=lambda: volume[:, [0, 12, 23]])])
    np.testing.assert_allclose(ends.predict([asked])[0].image_embedding, found.image_embedding, atol=1e-6)
    (found,) = middles.predict([replace(asked, volume=lambda: volume[:, [4, 12, 20]])])
    np.testing.assert_allclose(middles.predict([asked])[0].image_embedding, found.image_embedding, atol=1e-6)
    told = [made(models["clip"], **options).facts() for options in ({}, {"slices": 3}, {"endpoints": False})]
    assert len({one["slices"] for one in told}) == 3
    assert {one["source"] for one in told} == {"prepared volumes"}
    with pytest.raises(UserError, match="no library"):
        made(models["clip"], library="timm")


def test_raw_slices_are_those_of_the_series(models: dict[str, tuple[str, Path]], tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (31, 45, 60), dtype=np.uint8)
    folder = tmp_path / "M3D_Cap" / "ct_quizze" / "000007" / "Axial_C+"
    folder.mkdir(parents=True)
    for number, plane in enumerate(pixels):
        Image.fromarray(plane).save(folder / f"{number + 1}.png")
    adapter = made(models["pmc-clip"], raw=str(tmp_path))
    assert adapter.facts()["source"] == "raw series"
    asked = replace(query(1), path="M3D_Cap_npy/ct_quizze/000007/Axial_C+.npy")
    (found,) = adapter.predict([asked])
    same = (pixels / 255).astype(np.float32)[np.newaxis]
    (expected,) = made(models["pmc-clip"]).predict([replace(asked, volume=lambda: same)])
    np.testing.assert_allclose(found.image_embedding, expected.image_embedding, atol=1e-6)
    with pytest.raises(UserError, match="no raw series 'Coronal'"):
        adapter.predict([replace(asked, path="M3D_Cap_npy/ct_quizze/000007/Coronal.npy")])
    with pytest.raises(UserError, match="a control changes prepared volumes"):
        adapter.prepare(replace(CONTEXT, altered=True))
    with pytest.raises(UserError, match="no such folder"):
        made(models["pmc-clip"], raw=str(tmp_path / "nowhere"))


def test_what_is_no_such_model_is_refused(models: dict[str, tuple[str, Path]], tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    _, folder = models["clip"]
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("visual_projection.weight")
    tensors["text_projection.weight"] = torch.zeros(3, 3)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="visual_projection"):
        made(("clip", tmp_path))
    with pytest.raises(UserError, match="not the weights of PmcClip"):
        made(("pmc-clip", _pmc_with(models["pmc-clip"][1], tmp_path / "pmc", "visual.conv2.weight")))
    with pytest.raises(UserError, match="weights"):
        registry.create("adapters", "clip", {})


def _pmc_with(source: Path, target: Path, without: str) -> Path:
    import torch

    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    state = torch.load(source / "checkpoint.pt", weights_only=True)
    del state["state_dict"][f"module.{without}"]
    torch.save(state, target / "checkpoint.pt")
    return target


@pytest.mark.parametrize("name", ["pmc-clip", "clip"])
def test_every_declared_task_runs(
    name: str, models: dict[str, tuple[str, Path]], phantom: Path, tmp_path: Path, command: Call, capsys: Any
) -> None:
    adapter, folder = models[name]
    call = ["run", "--model", adapter, "-o", f"weights={folder}", "--data", phantom, "--limit", "2"]
    assert command(*call, "--out", tmp_path / "run") == 0
    run = json.loads((tmp_path / "run" / "run.json").read_text())["tasks"]
    assert set(run) == registry.load("adapters", adapter).tasks == {"retrieval"}
    summary = json.loads((tmp_path / "run" / "retrieval" / "summary.json").read_text())["tasks"]["retrieval"]
    assert summary["predictions"] == {"ok": 2, "error": 0, "refused": 0, "missing": 0}
    facts = run["retrieval"]["facts"]["resume"]["model_facts"]
    assert "count=10, rule='ends'" in facts["slices"]
    assert (facts["source"], facts["score"], facts["dtype"]) == ("prepared volumes", "best slice", "fp32")
    capsys.readouterr()
    assert command(*call, "--task", "vqa_open", "--out", tmp_path / "no") == 2
    assert "it declares: retrieval" in capsys.readouterr().err
    assert command(*call, "--trust-remote-code", "--out", tmp_path / "no") == 2
    assert "does not take --trust-remote-code: it never runs code" in capsys.readouterr().err


def test_open_clip_gives_the_vectors_of_that_library(
    tmp_path: Path, beside_torchvision: Callable[[str, Path], Any]
) -> None:
    gaps = beside_torchvision("open_clip_driver.py", tmp_path)
    assert max(gaps.values()) < 1e-5
    assert set(gaps) == {"plain", "biomed"}


def test_a_checkpoint_of_open_clip_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open_clip_config.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(UserError, match=r"m3dbench\[openclip\]"):
        made(("clip", tmp_path))
