"""Med-2E3, loaded from a folder of sub-checkpoints, against what the reference implementation computed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from published_folder import parity_volume, write_parts
from torch import Tensor

from m3dbench.adapters.checkpoints import Checkpoint, Placement
from m3dbench.adapters.m3d_clip.texts import ReportTokens
from m3dbench.adapters.med_2e3.config import Med2E3Config
from m3dbench.adapters.med_2e3.model import VOLUME, Med2E3
from m3dbench.adapters.med_2e3.prompts import PromptTokens
from m3dbench.adapters.med_2e3.published import PUBLISHED, complete
from m3dbench.adapters.med_2e3.running import Asked, Runner

TOLERANCE = 1e-4
STEPS = 12
CASES = (0, 1, 2)


@dataclass(frozen=True)
class Loaded:
    """recorded: of case N the entry ``N.what``. volumes: (1, D, H, W), by case."""

    runner: Runner
    tokens: PromptTokens
    questions: ReportTokens
    asked: list[dict[str, Any]]
    recorded: Any
    volumes: list[npt.NDArray[np.float32]]
    strides: dict[str, list[int]]

    @property
    def model(self) -> Med2E3:
        return self.runner.model

    def question(self, case: int) -> str:
        return str(self.asked[case]["question"])

    def matches(self, case: int, what: str, found: Tensor) -> None:
        expected = self.recorded[f"{case}.{what}"]
        np.testing.assert_allclose(found.numpy(), expected.reshape(found.shape), rtol=0, atol=TOLERANCE)

    def prompt(self, case: int) -> Asked:
        return Asked(self.volumes[case], self.question(case), self.tokens.ids(self.question(case)))

    def row(self, case: int) -> Tensor:
        seen = self.runner.seen.of(self.volumes[case])
        vectors = self.model.fuse(seen, self.runner.weights(seen, self.question(case)))
        return self.model.embed(vectors, torch.tensor(self.prompt(case).ids))


@pytest.fixture(scope="module")
def loaded(parity: Path, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    source = parity / "med_2e3"
    folder = write_parts(source, tmp_path_factory.mktemp("med") / "checkpoint", dtype=torch.float32)
    checkpoint = Checkpoint(folder, layout=PUBLISHED.layout)
    config = Med2E3Config.of(complete(checkpoint.config(), folder))
    inline = Med2E3Config.of(json.loads((source / "config.json").read_text()))
    assert config.language.to_dict() == inline.language.to_dict(), "sizes lie in the parts, or in the settings"
    questions = ReportTokens(folder / "m3d_clip_tokenizer", config.question.max_position_embeddings)
    tokens = PromptTokens(folder / "llm", config.language.vocab_size)
    runner = Runner.load(checkpoint, config, questions, Placement("cpu", "fp32"), None)
    for path in checkpoint.files():
        path.unlink()
    cases = json.loads((source / "cases.json").read_text())
    volumes = []
    for case in cases["cases"]:
        volume = parity_volume(parity, case["volume_seed"]).numpy()[0]
        if case["slice_ramp"]:
            volume = volume * np.array([((5 * d) % 32 + 1) / 32 for d in range(32)], np.float32)[:, None, None]
        volumes.append(volume)
    recorded = np.load(source / "expected.npz")
    return Loaded(runner, tokens, questions, cases["cases"], recorded, volumes, cases["strides"])


@pytest.mark.parametrize("case", CASES)
def test_prompts_and_questions_become_the_same_ids(case: int, loaded: Loaded) -> None:
    assert loaded.prompt(case).ids == loaded.recorded[f"{case}.input_ids"].ravel().tolist()
    ids, mask, cut = loaded.questions.ids([loaded.question(case)])
    seen = loaded.recorded[f"{case}.question_mask"].ravel().astype(bool)
    assert ids[0].tolist() == loaded.recorded[f"{case}.question_ids"].ravel()[seen].tolist()
    assert bool(mask.all())
    assert cut == [False]


@pytest.mark.parametrize("case", CASES)
@torch.inference_mode()
def test_both_towers(case: int, loaded: Loaded) -> None:
    images = torch.from_numpy(loaded.volumes[case])[None]
    rows, columns = loaded.strides["features_3d"]
    loaded.matches(case, "features_3d_strided", loaded.model.features_3d(images)[0, ::rows, ::columns])
    slices, rows, columns = loaded.strides["features_2d"]
    found = loaded.model.features_2d(images)[::slices, ::rows, ::columns]
    loaded.matches(case, "features_2d_strided", found)


@pytest.mark.parametrize("case", CASES)
@torch.inference_mode()
def test_tokens_and_the_slices_scores(case: int, loaded: Loaded) -> None:
    seen = loaded.runner.seen.of(loaded.volumes[case])
    loaded.matches(case, "tokens_3d", seen.volume)
    slices, rows, columns = loaded.strides["tokens_2d"]
    loaded.matches(case, "tokens_2d_strided", seen.slices[::slices, ::rows, ::columns])
    ids, mask = (torch.from_numpy(loaded.recorded[f"{case}.question_{what}"]).view(1, -1) for what in ("ids", "mask"))
    encoder = loaded.model.vision3d_model.language_encoder
    loaded.matches(case, "text_pooled", encoder(ids.long(), mask.long()).pooler_output[0])
    loaded.matches(case, "text_projected", loaded.model.project(ids.long(), mask.long()))
    weights = loaded.runner.weights(seen, loaded.question(case))
    loaded.matches(case, "slice_scores", weights)
    loaded.matches(case, "fused_2d_tokens", loaded.model.fuse(seen, weights)[len(seen.volume) :])


@pytest.mark.parametrize("case", CASES)
@torch.inference_mode()
def test_the_language_models_input_and_logits(case: int, loaded: Loaded) -> None:
    row = loaded.row(case)
    assert len(row) == loaded.recorded[f"{case}.prompt_length"]
    assert loaded.prompt(case).ids.index(VOLUME) == loaded.recorded[f"{case}.visual_start"]
    rows, columns = loaded.strides["inputs_embeds"]
    loaded.matches(case, "inputs_embeds_strided", row[::rows, ::columns])
    loaded.matches(case, "next_token_logits", loaded.model([row])[0, -1])


@torch.inference_mode()
def test_greedy_ids_are_exact_alone_and_in_a_batch(loaded: Loaded) -> None:
    asked = [loaded.prompt(case) for case in CASES]
    end = loaded.tokens.end
    alone = [loaded.runner.answer([one], STEPS, end)[0] for one in asked]
    together = loaded.runner.answer(asked, STEPS, end)
    logits = loaded.model([loaded.row(case) for case in CASES])[:, -1]
    for case in CASES:
        expected = loaded.recorded[f"{case}.generated_ids"].ravel().tolist()
        assert alone[case] == together[case]
        assert [*alone[case].ids, end][: len(expected)] == expected
        loaded.matches(case, "next_token_logits", logits[case])
        scores = loaded.recorded[f"{case}.slice_scores"]
        np.testing.assert_allclose(alone[case].slices.weights, scores.ravel(), rtol=0, atol=TOLERANCE)
    assert len(alone[1].ids) < STEPS, "case 1 ends by itself"
