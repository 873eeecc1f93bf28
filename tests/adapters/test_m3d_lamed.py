"""M3D-LaMed as an adapter, on checkpoints of toy size: batches, kept features, prompts, boxes, masks, refusals, records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from m3dbench import registry
from m3dbench.adapter import Context, Query
from m3dbench.adapters.m3d_lamed.adapter import M3DLaMed
from m3dbench.adapters.m3d_lamed.answers import NO_SEG, RESIZED
from m3dbench.adapters.m3d_lamed.published import BAD_MASKS, known_bad
from m3dbench.adapters.m3d_lamed.running import Runner, Spoken
from m3dbench.cli.run import choose_tasks
from m3dbench.data.sample import AnswerKind, Request
from m3dbench.errors import UserError
from m3dbench.runs.engine import Settings, open_data, run_task
from m3dbench.runs.folder import RunFolder
from m3dbench.wording import Wordings

pytestmark = pytest.mark.usefixtures("one_thread")
GRID = (24, 64, 64)
PROMPTS = (
    " what is in the image ?",
    " no",
    " can you find the spleen in the image ? please output it .",
    " is there a liver ?",
    " axial ?",
    " can you segment the kidney in the image ? please output the mask .",
    " what is it ?",
    " find a the spleen",
)


def volume(seed: int, grid: tuple[int, int, int] = GRID) -> np.ndarray:
    return np.random.default_rng(seed).random((1, *grid), dtype=np.float32)


def query(request: Request, seed: int = 0, grid: tuple[int, int, int] = GRID) -> Query:
    return Query(f"{request.kind}{seed}", "case", request, volume=lambda: volume(seed, grid), grid=lambda: grid)


def context(answer: AnswerKind, requests: str = "default") -> Context:
    return Context("task", answer, 0, train=lambda: iter(()), requests=requests)


def made(folder: Path, answer: AnswerKind, *, requests: str = "default", **options: Any) -> M3DLaMed:
    """A prepared adapter without a companion."""
    adapter: M3DLaMed = registry.create(
        "adapters", "m3d-lamed", {"weights": str(folder), "companion": "none", "max_new_tokens": "16", **options}
    )
    adapter.prepare(context(answer, requests))
    return adapter


@pytest.fixture(scope="module")
def lamed(random_lamed: Path) -> M3DLaMed:
    return made(random_lamed, "mask")


@pytest.fixture
def runner(lamed: M3DLaMed) -> Runner:
    assert lamed._runner is not None
    lamed._runner.halving.limit = 0
    return lamed._runner


def asked(lamed: M3DLaMed) -> tuple[list[np.ndarray], list[list[int]]]:
    return [volume(seed % 3) for seed in range(8)], [lamed._tokens.ids(prompt) for prompt in PROMPTS]


# Batches change nothing


def test_logits_answers_and_masks_do_not_depend_on_the_batch(lamed: M3DLaMed, runner: Runner) -> None:
    volumes, prompts = asked(lamed)
    features, ids = [runner.features.of(one) for one in volumes], [torch.tensor(one) for one in prompts]
    with torch.inference_mode():
        together = runner.model(features, ids)[0][:, -1]
        for place in range(8):
            logits = runner.model(features[place : place + 1], ids[place : place + 1])[0][0, -1]
            torch.testing.assert_close(logits, together[place], atol=1e-5, rtol=0)
    assert len({len(ids) for ids in prompts}) > 3

    def answers(size: int) -> list[Spoken]:
        found = []
        for start in range(0, 8, size):
            batch = slice(start, start + size)
            found += runner.answer(volumes[batch], prompts[batch], 16, masks=True)
        return found

    alone = answers(1)
    assert len({len(one.ids) for one in alone}) > 1
    assert 0 < sum(one.mask is not None for one in alone) < 8
    for size in (4, 8):
        for one, other in zip(alone, answers(size), strict=True):
            assert one.ids == other.ids
            assert (one.mask is None) == (other.mask is None)
            if one.mask is not None and other.mask is not None:
                np.testing.assert_allclose(one.mask, other.mask, atol=1e-5)


@pytest.mark.parametrize(("name", "tolerance"), [("m3d_lamed_llama", 1e-5), ("m3d_lamed_phi3", 1e-3)])
def test_the_reference_does_not_depend_on_the_batch(name: str, tolerance: float, shared: Path) -> None:
    """Both language models with the parity folders' weights and recorded image features, the towers left out.

    One row of lm_head was solved for and amplifies rounding, most in Phi-3: the states tell more than the logits.
    """
    from published_folder import weights_module

    from m3dbench.adapters.m3d_lamed.config import LaMedConfig
    from m3dbench.adapters.m3d_lamed.model import LaMed, rename

    folder = shared / "parity" / name
    fields = json.loads((folder / "config.json").read_text())
    small = {"depth": 1, "seg_depth": 1, "heads": 2, "mlp": 8, "decoder_heads": 2, "decoder_mlp": 8}
    model = LaMed(LaMedConfig.of({**fields, "mm_hidden_size": 48, "sizes": small})).eval()
    fill, solved = weights_module(folder.parent).fill, np.load(folder / "overrides.npz")
    language = {
        rename(key): torch.from_numpy(solved[key] if key in solved else fill(key, tuple(shape)))
        for key, shape in json.loads((folder / "tensors.json").read_text()).items()
        if rename(key).startswith("language.")
    }
    assert not model.load_state_dict(language, strict=False).unexpected_keys
    recorded = np.load(folder / "expected.npz")
    prompts = [torch.from_numpy(recorded[f"{case}.input_ids"]).ravel().long() for case in (0, 1, 2)]
    prompts += [prompts[0][:-3], prompts[1][:260], prompts[2][:-5], prompts[0][:262], prompts[1]]
    features = [torch.from_numpy(recorded[f"{case}.image_features"]) for case in (0, 1, 2, 1, 0, 2, 0, 1)]
    with torch.inference_mode():
        alone = [[out[0, -1] for out in model([one], [ids])] for one, ids in zip(features, prompts, strict=True)]
        spoken = [model.generate([one], [ids], 12)[0].ids for one, ids in zip(features, prompts, strict=True)]
        for size in (4, 8):
            for start in range(0, 8, size):
                batch = slice(start, start + size)
                logits, states = (out[:, -1] for out in model(features[batch], prompts[batch]))
                expected = [torch.stack(part) for part in zip(*alone[batch], strict=True)]
                torch.testing.assert_close(logits, expected[0], atol=tolerance, rtol=1e-5)
                torch.testing.assert_close(states, expected[1], atol=1e-5, rtol=0)
                assert [one.ids for one in model.generate(features[batch], prompts[batch], 12)] == spoken[batch]
    for case in (0, 1, 2):
        assert list(spoken[case]) == recorded[f"{case}.generated_ids"].tolist()


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_a_batch_that_does_not_fit_is_halved_and_recorded(
    error: Exception, lamed: M3DLaMed, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate, sizes = runner.model.generate, []

    def scarce(features: Sequence[Any], prompts: Sequence[Any], limit: int) -> Any:
        sizes.append(len(prompts))
        if len(prompts) > 3:
            raise error
        return generate(features, prompts, limit)

    questions = [query(Request("segment", target="liver"), seed) for seed in range(7)]
    whole = lamed.predict(questions)
    monkeypatch.setattr(runner.model, "generate", scarce)
    parts = lamed.predict(questions)
    assert sizes == [7, 4, 2, 2, 2, 1]
    assert [one.text for one in parts] == [one.text for one in whole]
    assert lamed.recorded()["batch_limit"] == 2


def test_other_errors_and_a_single_sample_without_memory_are_raised(
    lamed: M3DLaMed, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(runner.model, "generate", fail)
    for error in (torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("shapes differ")):
        with pytest.raises(type(error)):
            lamed.predict([query(Request("segment", target="liver"))])


# What was computed of a volume is kept


def test_questions_on_one_volume_share_its_features(random_lamed: Path) -> None:
    lamed = made(random_lamed, "text")
    runner = lamed._runner
    assert runner is not None
    before = runner.features.computed
    lamed.predict([query(Request("answer", question=f"what is it {number}"), seed=7) for number in range(9)])
    lamed.predict([query(Request("answer", question="what is it"), seed=8)])
    lamed.predict([query(Request("answer", question="what is it"), seed=7)])
    assert runner.features.computed - before == 2
    assert runner.cells.computed == 0, "only a mask needs the second encoder"


# Prompts


def test_requests_are_worded_as_the_model_was_trained(lamed: M3DLaMed) -> None:
    asked = Request("segment", target="liver", wording="Outline the liver.")
    (answer,) = lamed.predict([query(asked)])
    assert answer.wording == " Can you segment the liver in this image? Please output the mask."
    assert list(answer.prompt_ids) == lamed._tokens.ids(answer.wording)
    assert answer.prompt_ids[:14] == (1, *[3] * 12, answer.prompt_ids[13])


@pytest.mark.parametrize(("options", "requests"), [({"wording": "request"}, "default"), ({}, "upstream")])
def test_a_request_can_be_taken_at_its_word(options: Any, requests: str, random_lamed: Path) -> None:
    lamed = made(random_lamed, "text", requests=requests, **options)
    report = Request("report", wording="Tell what is in the image.")
    answers = lamed.predict([query(report), query(Request("answer", question="a", wording="what ?"))])
    assert [answer.wording for answer in answers] == ["Tell what is in the image.", " what ?"]


def test_a_prompt_without_room_for_an_answer_is_an_error(lamed: M3DLaMed) -> None:
    with pytest.raises(ValueError, match=r"the prompt has \d+ tokens, and the model takes 496"):
        lamed.predict([query(Request("segment", description="liver " * 600))])


def test_a_volume_that_was_not_prepared_for_the_model_is_an_error(lamed: M3DLaMed) -> None:
    hounsfield = Query("a", "a", Request("segment", target="liver"), lambda: volume(0) * 400 - 200, lambda: GRID)
    with pytest.raises(ValueError, match=r"run from -\d+.* and the model was trained on 0..1"):
        lamed.predict([hounsfield])


# Answers


def says(lamed: M3DLaMed, monkeypatch: pytest.MonkeyPatch, text: str, mask: np.ndarray | None = None) -> None:
    """Whatever is asked, the model says this."""
    assert lamed._runner is not None
    monkeypatch.setattr(lamed._runner, "answer", lambda volumes, *_, **__: [Spoken((9,), mask)] * len(volumes))
    monkeypatch.setattr(lamed._tokens, "text", lambda ids: text)


def test_a_box_counts_the_voxels_of_the_models_grid(
    random_lamed: Path, phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lamed = made(random_lamed, "box")
    request = Request("locate", target="liver")
    # voxels 6..17 of 24, 16..47 of 64: the upper bound is the last voxel itself
    says(lamed, monkeypatch, "It is at [0.25, 0.25, 0.25, 0.708, 0.734, 0.734].")
    (same,) = lamed.predict([query(request)])
    assert same.box == pytest.approx((6 / 24, 16 / 64, 16 / 64, 17 / 24, 47 / 64, 47 / 64))
    (finer,) = lamed.predict([query(request, grid=(48, 128, 64))])
    assert finer.box == pytest.approx((12 / 48, 32 / 128, 16 / 64, 35 / 48, 95 / 128, 47 / 64))
    assert finer.notes == (RESIZED,)
    folder = RunFolder.create(tmp_path / "run")
    folder.begin()
    monkeypatch.setattr(M3DLaMed, "prepare", lambda self, context: setattr(self, "_context", context))
    run_task(registry.create("tasks", "rec"), lamed, open_data(phantom), folder, Settings(limit=1))
    row = json.loads((tmp_path / "run" / "rec" / "predictions.jsonl").read_text())
    assert row["box"] == pytest.approx([0.25, 0.25, 0.25, 0.75, 0.75, 0.75])
    assert row["prompt_ids"][:2] == [[1, 1], [3, 12]]


@pytest.mark.parametrize(
    ("text", "absent"), [("Sorry, there is no liver.", True), ("Sure, it is .", False), ("", False)]
)
def test_a_refusal_is_an_empty_mask_and_no_seg_is_noted(
    text: str, absent: bool, lamed: M3DLaMed, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(lamed, monkeypatch, text)
    (answer,) = lamed.predict([query(Request("segment", target="liver"))])
    assert (answer.mask, answer.absent, answer.notes) == (None, absent, (NO_SEG,))


def test_masks_come_on_the_grid_of_the_sample(lamed: M3DLaMed, runner: Runner) -> None:
    volumes, prompts = asked(lamed)
    said = next(
        (seen, ids)
        for seen, ids, one in zip(volumes, prompts, runner.answer(volumes, prompts, 16, masks=True), strict=True)
        if one.mask is not None
    )
    fine = np.repeat(said[0], 2, axis=1)
    (one,) = runner.answer([fine], [said[1]], 16, masks=True)
    if one.mask is not None:  # another volume, perhaps another answer
        assert one.mask.shape == fine.shape[1:]
        assert 0 <= one.mask.min() <= one.mask.max() <= 1
    cells = torch.randn(48)
    assert runner._mask(fine, cells).shape == (48, 64, 64)
    assert runner._mask(said[0], cells).shape == GRID


# Known trouble, companions, options


def test_known_bad_weights_are_told_of_and_recorded(
    random_lamed: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known_bad({"model_type": "lamed_llama", "hidden_size": 4096, "num_hidden_layers": 32, "other": 1})
    assert not known_bad({"model_type": "lamed_phi3", "hidden_size": 3072, "num_hidden_layers": 32})
    monkeypatch.setattr("m3dbench.adapters.m3d_lamed.adapter.known_bad", lambda fields: BAD_MASKS)
    assert "warning" not in made(random_lamed, "text").recorded()
    assert made(random_lamed, "mask").recorded()["warning"] == BAD_MASKS
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [BAD_MASKS]


def test_retrieval_is_the_companions(random_lamed: Path, random_clip: Path) -> None:
    alone = registry.create("adapters", "m3d-lamed", {"weights": str(random_lamed), "companion": "none"})
    assert len(alone.tasks) == 7
    assert alone.lacks("retrieval") == "its companion was left out"
    both = registry.create("adapters", "m3d-lamed", {"weights": str(random_lamed), "companion": str(random_clip)})
    missing = registry.create("adapters", "m3d-lamed", {"weights": str(random_lamed)})
    with pytest.raises(UserError, match=r"does not do 'retrieval' \(its companion m3d-clip is missing: .*M3D-CLIP"):
        choose_tasks(missing, "retrieval")
    clip = registry.create("adapters", "m3d-clip", {"weights": str(random_clip)})
    assert both.tasks == alone.tasks | {"retrieval"}
    assert both.facts()["companion"] == {"model": "m3d-clip", **clip.facts()}
    both.prepare(context("embedding"))
    clip.prepare(context("embedding"))
    asked = [query(Request("match", description="the liver is in the image"))]
    np.testing.assert_array_equal(both.predict(asked)[0].image_embedding, clip.predict(asked)[0].image_embedding)
    assert both.recorded()["companion"]["self_checks"]


@pytest.mark.parametrize(
    ("options", "told"), [({"wording": "mine"}, "no wording 'mine'"), ({"max_new_tokens": "0"}, "at least 1")]
)
def test_wrong_options_are_named(options: dict[str, str], told: str, random_lamed: Path) -> None:
    with pytest.raises(UserError, match=told):
        registry.create("adapters", "m3d-lamed", {"weights": str(random_lamed), **options})


def test_a_configuration_of_another_model_is_named(random_clip: Path) -> None:
    lamed = registry.create("adapters", "m3d-lamed", {"weights": str(random_clip), "companion": "none"})
    with pytest.raises(UserError, match="configuration is not this model's: model_type is 'm3d_clip'"):
        lamed.facts()


def test_upstream_requests_reach_the_adapter(phantom: Path, tmp_path: Path, random_lamed: Path) -> None:
    class Upstream(Wordings):
        requests = "upstream"

    lamed = registry.create(
        "adapters", "m3d-lamed", {"weights": str(random_lamed), "companion": "none", "max_new_tokens": "4"}
    )
    folder = RunFolder.create(tmp_path / "run")
    folder.begin()
    run_task(registry.create("tasks", "reg"), lamed, open_data(phantom), folder, Settings(limit=1, words=Upstream()))
    row = json.loads((tmp_path / "run" / "reg" / "predictions.jsonl").read_text())
    asked = json.loads((tmp_path / "run" / "reg" / "manifest.jsonl").read_text())["request"]["wording"]
    assert row["wording"] == f" {asked}"
