"""RadFM, loaded as published, against what the reference implementation computed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from published_folder import weights_module, write_radfm
from torch import Tensor

from m3dbench.adapters.checkpoints import Checkpoint, Placement
from m3dbench.adapters.radfm.config import RadFMConfig
from m3dbench.adapters.radfm.model import RadFM
from m3dbench.adapters.radfm.running import Runner
from m3dbench.adapters.radfm.tokens import PromptTokens
from m3dbench.adapters.radfm.volumes import model_size, resized

Command = Callable[..., subprocess.CompletedProcess[str]]
TOLERANCE = 1e-4
NAMES = (
    "one_scan",
    "rectangle_image_last",
    "two_scans",
    "two_scans_reversed_text",
    "three_different_channels",
    "full_size",
)


@dataclass(frozen=True)
class Loaded:
    """stages: of a case, everything up to its scans' vectors, taken once. folder: the checkpoint."""

    folder: Path
    model: RadFM
    tokens: PromptTokens
    cases: dict[str, Any]
    recorded: Any
    stages: dict[str, dict[str, Tensor]]

    def ids(self, case: str) -> Tensor:
        return torch.from_numpy(self.recorded[f"{case}.input_ids"])

    def expect(self, case: str, stage: str, found: Tensor) -> None:
        np.testing.assert_allclose(found.numpy(), self.recorded[f"{case}.{stage}"], rtol=0, atol=TOLERANCE)


@pytest.fixture(scope="module")
def loaded(parity: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """With every tensor that the real file also holds and inference ignores."""
    source = parity / "radfm"
    folder = write_radfm(source, tmp_path_factory.mktemp("radfm") / "published")
    checkpoint = Checkpoint(folder)
    config = RadFMConfig.of(checkpoint.config())
    model = Runner.load(checkpoint, config, Placement("cpu", "fp32"), "trained").model
    content = json.loads((source / "cases.json").read_text())
    cases = {case["name"]: case for case in content["cases"]}
    volume = weights_module(parity).volume
    stages = {name: stages_of(model, scans_of(case, volume)) for name, case in cases.items()}
    tokens = PromptTokens(folder, config.language.vocab_size, content["image_tokens"])
    yield Loaded(folder, model, tokens, {**content, "cases": cases}, np.load(source / "expected.npz"), stages)
    (folder / "pytorch_model.bin").unlink()


def scans_of(case: dict[str, Any], volume: Any) -> Tensor:
    """(S, 3, H, W, D), as the README moves and repeats axes."""
    scans = [torch.from_numpy(volume(scan["seed"], tuple(scan["shape"]))) for scan in case["scans"]]
    return torch.stack([scan.movedim(1, -1).expand(3, -1, -1, -1) for scan in scans])


@torch.inference_mode()
def stages_of(model: RadFM, scans: Tensor) -> dict[str, Tensor]:
    found = {"image": scans}
    layer = model.embedding_layer
    vision = layer.vision_encoder

    def kept(name: str) -> Any:
        return lambda module, given, out: found.__setitem__(name, out)

    hooks = [
        vision.to_patch_embedding.register_forward_hook(kept("patch_embedding")),
        vision.pos_embedding.register_forward_hook(kept("position_embedding")),
        vision.transformer.layers[0][0].fn.register_forward_hook(kept("vit_block0_attention")),
        vision.register_forward_hook(kept("vit")),
        layer.perceiver.register_forward_hook(kept("perceiver")),
    ]
    found["visual_tokens"] = layer.visual(scans)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("case", NAMES)
def test_vision_stages(case: str, loaded: Loaded) -> None:
    found, strides = loaded.stages[case], loaded.cases["strides"]
    a, b = strides["a_b_full_size" if case == "full_size" else "a_b_default"]
    loaded.expect(case, "image_strided", found["image"][:, :, ::32, ::32, ::4])
    loaded.expect(case, "patch_embedding", found["patch_embedding"][:, ::a, ::8])
    loaded.expect(case, "position_embedding", found["position_embedding"][::a, ::8])
    loaded.expect(case, "vit_block0_attention", found["vit_block0_attention"][:, ::a, ::8])
    loaded.expect(case, "vit", found["vit"][:, ::a, ::b])
    loaded.expect(case, "perceiver", found["perceiver"][:, :, ::8])
    loaded.expect(case, "visual_tokens", found["visual_tokens"])


@pytest.mark.parametrize("case", NAMES)
def test_prompt_ids(case: str, loaded: Loaded) -> None:
    parts = parts_of(loaded.cases["cases"][case]["text"])
    assert loaded.tokens.ids(parts) == loaded.ids(case).tolist()


def parts_of(text: str) -> list[str | int]:
    """``{0}find{1}`` as a prompt's parts."""
    return [int(part[1]) if part[0] == "{" else part for part in re.split(r"(\{\d\})", text) if part]


class Recorded:
    """LLaMA's tokenizer as far as it is recorded: what it makes of the stretches of text in the recorded prompts."""

    size = 32000

    def __init__(self, prompts: list[dict[str, Any]]) -> None:
        self.known = dict[str, list[int]]()
        for prompt in prompts:
            stretches = [part.strip(" ") for part in re.split(r"\{\d\}", prompt["text"]) if part]
            runs = groupby(prompt["input_ids"][1:], lambda token: token < self.size)
            self.known.update(zip(stretches, (list(run) for text, run in runs if text), strict=True))

    def encode(self, text: str) -> list[int]:
        return self.known[text]

    def decode(self, ids: list[int]) -> str:
        raise NotImplementedError

    def id_of(self, token: str) -> int | None:
        return ("<unk>", "<s>", "</s>").index(token)


def test_prompts_of_the_real_tokenizer(parity: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of scans, the start token, which stretches are encoded apart, and the golden prompt's ids."""
    recorded = json.loads((parity / "radfm" / "real_tokenizer.json").read_text())
    monkeypatch.setattr("m3dbench.adapters.radfm.tokens.opened", lambda folder: Recorded(recorded["prompts"]))
    tokens = PromptTokens(parity, 32000, 32)
    for prompt in recorded["prompts"]:
        assert tokens.ids(parts_of(prompt["text"])) == prompt["input_ids"]


@pytest.mark.parametrize("case", NAMES)
def test_embeddings_and_logits(case: str, loaded: Loaded) -> None:
    visual = loaded.stages[case]["visual_tokens"]
    with torch.inference_mode():
        loaded.expect(case, "input_embeds", loaded.model.embedding_layer(loaded.ids(case), visual)[:, ::2])
        logits = loaded.model([visual], [loaded.ids(case)])[0]
    loaded.expect(case, "prompt_logits", logits[::8])
    loaded.expect(case, "next_token_logits", logits[-1])


def test_a_batch_of_prompts_of_different_length_gives_the_same(loaded: Loaded) -> None:
    visual, ids = [loaded.stages[case]["visual_tokens"] for case in NAMES], [loaded.ids(case) for case in NAMES]
    with torch.inference_mode():
        logits = loaded.model(visual, ids)
        answers = loaded.model.generate(visual, ids, loaded.cases["max_new_tokens"])
    for place, case in enumerate(NAMES):
        loaded.expect(case, "next_token_logits", logits[place, -1])
        assert list(answers[place]) == loaded.recorded[f"{case}.answer_ids"].tolist()


@pytest.mark.parametrize("case", NAMES)
def test_greedy_ids_are_exact(case: str, loaded: Loaded) -> None:
    """What the reference generates too, which runs on past id 2 and stops at id 1 alone."""
    visual, ids = [loaded.stages[case]["visual_tokens"]], [loaded.ids(case)]
    limit = loaded.cases["max_new_tokens"]
    (runs_on,) = loaded.model.generate(visual, ids, limit, ends=[loaded.cases["reference_stop_id"]])
    expected = loaded.recorded[f"{case}.reference_ids"].tolist()
    assert list(runs_on) == (expected[:-1] if len(expected) < limit else expected)
    answer = loaded.recorded[f"{case}.answer_ids"].tolist()
    if len(answer) < limit:
        (said,) = loaded.model.generate(visual, ids, limit)
        assert list(said) == answer
    else:
        assert list(runs_on) == answer


def test_sizes_are_the_references(parity: Path) -> None:
    tables = json.loads((parity / "radfm" / "cases.json").read_text())["depth_and_size"]
    for slices, depth in tables["loader"].items():
        assert model_size(int(slices), "loader") == (512, 512, depth)
    for name, rule, scans in (
        ("train_one_sample", "trained", 1),
        ("train_one_sample_seven_scans", "trained", 7),
        ("train_two_samples", "loader", 1),
    ):
        for slices, size in tables[name].items():
            assert model_size(int(slices), rule, scans) == tuple(size), (name, slices)


def test_resizing_is_the_references(parity: Path) -> None:
    case = json.loads((parity / "radfm" / "cases.json").read_text())["resize"]
    recorded = np.load(parity / "radfm" / "expected.npz")
    volume = torch.from_numpy(weights_module(parity).volume(case["seed"], tuple(case["shape"])))
    image = volume.movedim(1, -1)[None].expand(-1, 3, -1, -1, -1)
    found = resized(image, model_size(case["shape"][1], "loader"))
    assert tuple(found.shape[-3:]) == tuple(recorded["resize.shape"][-3:])
    np.testing.assert_array_equal(found[0, 0, ::37, ::41].numpy(), recorded["resize.strided"])


def test_every_declared_task_runs_from_the_command_line(
    loaded: Loaded, m3dbench: Command, phantom: Path, tmp_path: Path
) -> None:
    options = ["-o", f"weights={loaded.folder}", "-o", "max_new_tokens=8", "--limit", "2", "--scoring", "corrected"]
    done = m3dbench("run", "--model", "radfm", "--task", "all", *options, "--data", phantom, "--out", tmp_path / "run")
    assert "of 2 answers." in done.stdout
    assert "rec" in done.stdout.split("not supported", 1)[-1]
    content = json.loads((tmp_path / "run" / "run.json").read_text())["tasks"]
    assert set(content) == {"report_generation", "vqa_closed", "vqa_open"}
    for name, task in content.items():
        summary = json.loads((tmp_path / "run" / name / "summary.json").read_text())["tasks"][name]
        assert summary["predictions"] == {"ok": 2, "error": 0, "refused": 0, "missing": 0}, name
        assert summary["notes"]["volume resized to the model's size"] == 2
        facts = task["facts"]["resume"]["model_facts"]
        assert {len(facts["weights"]), len(facts["config"]), len(facts["prompt"]["tokenizer"])} == {64}
        assert facts["generation"] == {"decoding": "greedy", "max_new_tokens": 8, "ends": [1, 2]}
        assert facts["prompt"]["golden"]["ids"][:3] == [[1, 1], [160, 1], [162, 1]]
        assert (facts["dtype"], facts["device"], facts["size"]) == ("fp32", "cpu", "trained")
        model = task["facts"]["recorded"]["model"]
        assert model["checkpoint"]["path"] == str(loaded.folder)
        checks = {check["name"]: check["passed"] for check in model["self_checks"]}
        assert set(checks) == {"libraries", "golden prompt", "input", "image is seen", "decoding repeats"}
        assert all(checks.values())
        rows = [json.loads(line) for line in (tmp_path / "run" / name / "predictions.jsonl").read_text().splitlines()]
        assert all(row["prompt_ids"][1:3] == [[160, 1], [162, 1]] for row in rows)
