"""``m3dbench run`` of models with weights: random ones at toy size, and the published layout at full size."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]
ALL = {
    "vqa_closed",
    "vqa_open",
    "report_generation",
    "rec",
    "reg",
    "seg_semantic",
    "seg_referring",
    "retrieval",
}


def test_every_task_runs_on_the_phantom(
    m3dbench: Command, random_lamed: Path, random_clip: Path, phantom: Path, tmp_path: Path
) -> None:
    options = ["-o", f"weights={random_lamed}", "-o", f"companion={random_clip}"]
    options += ["-o", "max_new_tokens=8", "--limit", "2", "--data", phantom, "--out", tmp_path / "run"]
    done = m3dbench("run", "--model", "m3d-lamed", "--task", "all", "--scoring", "corrected", *options)
    assert "of 2 answers." in done.stdout
    content = json.loads((tmp_path / "run" / "run.json").read_text())["tasks"]
    assert set(content) == ALL
    for name, task in content.items():
        summary = json.loads((tmp_path / "run" / name / "summary.json").read_text())["tasks"][name]
        assert summary["predictions"] == {"ok": 2, "error": 0, "refused": 0, "missing": 0}, name
        facts = task["facts"]["resume"]["model_facts"]
        assert {len(facts["weights"]), len(facts["companion"]["weights"])} == {64}
        assert facts["generation"] == {"decoding": "greedy", "max_new_tokens": 8}
        assert facts["prompt"]["golden"]["ids"][:2] == [[1, 1], [3, 12]]
        assert (facts["dtype"], facts["device"]) == ("fp32", "cpu")
        assert {"torch", "transformers", "tokenizers"} <= set(facts["libraries"])
        model = task["facts"]["recorded"]["model"]
        assert model["checkpoint"]["path"] == str(random_lamed)
        checks = {check["name"]: check["passed"] for check in model["self_checks"]}
        assert all(checks.values())
    assert {"libraries", "golden prompt", "input", "image is seen", "decoding repeats", "mask"} <= set(checks)


def test_the_published_layout_runs(
    shared: Path,
    phantom: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sharded, bfloat16, full size; what the encoders make of a volume is put in, since one pass takes 10 s here."""
    import torch
    from published_folder import published_once

    from m3dbench.adapters.m3d_lamed.model import LaMed
    from m3dbench.adapters.nets.segvol import SegVol
    from m3dbench.cli.main import main

    folder = published_once(shared / "parity", "m3d_lamed_phi3", tmp_path_factory)
    features = torch.from_numpy(np.load(shared / "parity" / "m3d_lamed_phi3" / "expected.npz")["0.image_features"])
    shapes = set()

    def encoded(self: Any, images: torch.Tensor) -> torch.Tensor:
        shapes.add(tuple(images.shape))
        return features[None] * (1 + images.mean())

    monkeypatch.setattr(LaMed, "image_features", encoded)
    monkeypatch.setattr(SegVol, "encode", lambda self, images: torch.sin(torch.arange(2048.0 * 768)).view(1, 2048, 768))
    monkeypatch.chdir(tmp_path)
    call = ["run", "--model", "m3d-lamed", "--task", "seg_semantic,vqa_closed", "--limit", "2", "--data", str(phantom)]
    call += ["-o", f"weights={folder}", "-o", "max_new_tokens=12", "-o", "companion=none", "--out", "run"]
    monkeypatch.setattr(sys, "argv", ["m3dbench", *call])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert shapes == {(1, 1, 32, 256, 256)}
    for name in ("seg_semantic", "vqa_closed"):
        summary = json.loads(Path("run", name, "summary.json").read_text())["tasks"][name]
        assert summary["predictions"]["ok"] == 2
        assert summary["notes"]["volume resized to the model's grid, and the mask back"] == 2
    rows = [json.loads(line) for line in Path("run", "seg_semantic", "predictions.jsonl").read_text().splitlines()]
    masks = [row["mask"]["shape"] for row in rows if "mask" in row]
    assert masks, "the recorded features make this model say [SEG]"
    assert masks == [[24, 64, 64]] * len(masks)
    assert sum("no [SEG]" in row["notes"] for row in rows) == len(rows) - len(masks)
    assert all(row["prompt_ids"][:2] == [[1, 1], [3, 256]] for row in rows)


def test_segvol_runs_its_tasks_at_full_size(
    shared: Path,
    phantom: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The weights of the parity material; what the encoder makes of a view is put in, and there is one look only."""
    import torch
    from published_folder import published_once

    from m3dbench.adapters.nets.segvol import SegVol
    from m3dbench.cli.main import main

    folder = published_once(shared / "parity", "segvol", tmp_path_factory)
    cells = torch.sin(torch.arange(2048.0 * 768)).view(1, 2048, 768)
    monkeypatch.setattr(SegVol, "encode", lambda self, images: cells * (1 + images.mean()))
    monkeypatch.chdir(tmp_path)
    call = ["run", "--model", "segvol", "--task", "all", "--limit", "2", "--data", str(phantom), "--out", "run"]
    call += ["-o", f"weights={folder}", "-o", "zoom_in=no", "--scoring", "corrected"]
    monkeypatch.setattr(sys, "argv", ["m3dbench", *call])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    for name in ("rec", "seg_semantic", "seg_referring"):
        summary = json.loads(Path("run", name, "summary.json").read_text())["tasks"][name]
        assert summary["predictions"] == {"ok": 2, "error": 0, "refused": 0, "missing": 0}, name
    row = json.loads(Path("run", "seg_semantic", "predictions.jsonl").read_text().splitlines()[0])
    assert row["mask"]["shape"] == [24, 64, 64]
    assert row["wording"] == "A computerized tomography of a liver."
