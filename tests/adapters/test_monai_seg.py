"""Any MONAI network: trained here on phantom cases, described, run; what it answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from made_monai import CLASSES, SIZE, TOML, made, query, segresnet, volume, write_described
from torch.nn import functional

from m3dbench.data.sample import Request


def train_cases(phantom: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Volumes (N, 1, X, Y, Z) and label maps (N, X, Y, Z) of the phantom's train split, in RAS, at a small size."""
    root = phantom / "M3D_Seg_npy"
    masks: dict[str, list[str]] = {}
    for item in json.loads((root / "0003" / "0003.json").read_text())["train"]:
        masks.setdefault(item["image"], []).append(item["label"])
    images, maps = [], []
    for image, files in masks.items():
        scan = np.load(root / image)[0]
        labels = np.zeros(scan.shape, dtype=np.float32)
        for file in files:
            mask = np.load(root / file)[0]
            if mask.shape == scan.shape:
                labels[mask] = int(Path(file).stem.split("_")[1]) + 1
        # stored from head to feet, front to back, right to left
        images.append(np.ascontiguousarray(scan[::-1, ::-1, ::-1].transpose(2, 1, 0)))
        maps.append(np.ascontiguousarray(labels[::-1, ::-1, ::-1].transpose(2, 1, 0)))
    stacked, labelled = (torch.from_numpy(np.stack(arrays))[:, None] for arrays in (images, maps))
    small = functional.interpolate(stacked, size=SIZE, mode="trilinear")
    return small, functional.interpolate(labelled, size=SIZE, mode="nearest")[:, 0].long()


@pytest.fixture(scope="module")
def trained(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SegResNet trained for 40 steps, as MONAI's users train one, with its description."""
    torch.set_num_threads(1)
    images, labels = train_cases(phantom)
    network = segresnet()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    weights = torch.tensor([0.3, 1, 1, 1, 1])
    for _ in range(40):
        chosen = torch.randint(len(images), (2,))
        loss = functional.cross_entropy(network(images[chosen]), labels[chosen], weight=weights)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return write_described(network, tmp_path_factory.mktemp("trained"))


def test_a_trained_network_runs_its_tasks_and_finds_the_liver(
    trained: Path, phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, since a second import of MONAI would take longer than all the rest."""
    from m3dbench.cli.main import main

    call = ["m3dbench", "run", "--model", "monai-seg", "-o", f"config={trained / 'net.toml'}", "--task", "all"]
    call += ["--limit", "5", "--datasets", "0003", "--scoring", "corrected", "--data", str(phantom)]
    monkeypatch.setattr("sys.argv", [*call, "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "names no class of the network's label table" in capsys.readouterr().out
    tasks = json.loads((tmp_path / "run" / "run.json").read_text())["tasks"]
    assert set(tasks) == {"rec", "seg_semantic", "seg_referring"}
    for name in tasks:
        predictions = json.loads((tmp_path / "run" / name / "summary.json").read_text())["tasks"][name]["predictions"]
        assert predictions["ok"] + predictions["refused"] == 5
        assert predictions["ok"] >= {"rec": 3, "seg_semantic": 5, "seg_referring": 0}[name]
    facts = tasks["rec"]["facts"]["resume"]["model_facts"]
    assert facts["description"]["network"]["class"] == "SegResNet"
    assert {"torch", "monai"} <= set(facts["libraries"])
    lines = (tmp_path / "run" / "seg_semantic" / "scores.jsonl").read_text().splitlines()
    livers = [row for row in map(json.loads, lines) if row["id"].endswith("/0") and row["metric"] == "dice"]
    assert len(livers) == 2
    assert all(row["value"] > 0.4 for row in livers), "an empty mask has a Dice of 0"


def test_one_pass_answers_all_questions_on_a_volume(random_segresnet: Path) -> None:
    adapter = made(random_segresnet / "net.toml")
    shown = volume((24, 64, 64))
    answers = adapter.predict([query(Request("segment", target=name), shown) for name in CLASSES])
    assert adapter._runner is not None and adapter._runner.results.computed == 1
    masks = [answer.mask for answer in answers]
    assert all(mask is not None and mask.shape == (24, 64, 64) and mask.dtype == np.bool_ for mask in masks)
    assert np.stack([mask for mask in masks if mask is not None]).sum(0).max() <= 1, "classes exclude each other"
    (refused,) = adapter.predict([query(Request("segment", target="brain"), shown)])
    assert (refused.status, refused.reason) == ("refused", "the network's label table has no class 'brain'")


def test_channels_that_do_not_exclude_each_other_give_probabilities(random_segresnet: Path, tmp_path: Path) -> None:
    text = 'activation = "sigmoid"\n' + TOML.replace('"model.pt"', f'"{random_segresnet / "model.pt"}"')
    (tmp_path / "net.toml").write_text(text.replace("kidney = 2", 'kidney = 2\n"abdominal organ" = [1, 2, 3]'))
    adapter = made(tmp_path / "net.toml")
    shown = volume((24, 64, 64))
    names = ("liver", "kidney", "spleen", "abdominal organ")
    *parts, union = [adapter.predict([query(Request("segment", target=name), shown)])[0].mask for name in names]
    assert union is not None and union.dtype == np.float32
    np.testing.assert_array_equal(union, np.maximum.reduce([part for part in parts if part is not None]))
