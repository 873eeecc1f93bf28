"""Med-2E3 as an adapter, on a checkpoint of toy size: batches, prompts, slice weights, the loader's bug, bad folders."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from m3dbench import registry
from m3dbench.adapter import Context, Query
from m3dbench.adapters.med_2e3.adapter import Med2E3
from m3dbench.adapters.med_2e3.answers import CUT, RESIZED
from m3dbench.adapters.med_2e3.config import Med2E3Config
from m3dbench.adapters.med_2e3.model import VOLUME
from m3dbench.adapters.med_2e3.prompts import PromptTokens
from m3dbench.adapters.med_2e3.published import complete
from m3dbench.adapters.med_2e3.running import Answered, Asked, Runner
from m3dbench.data.sample import Request
from m3dbench.errors import UserError
from m3dbench.runs.engine import Settings, open_data, run_task
from m3dbench.runs.folder import RunFolder

GRID = (24, 64, 64)
QUESTIONS = (
    "what is in the image ?",
    "is there a liver ?",
    "axial ?",
    "can you find the spleen in the image ? please output it .",
    "no",
    "what is it ?",
    "is it the kidney , or is it the spleen ?",
    "find a the spleen",
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def volume(seed: int, grid: tuple[int, int, int] = GRID) -> np.ndarray:
    ramp = np.linspace(0.1, 1, grid[0], dtype=np.float32)[:, None, None]
    return (0.01 + 0.98 * np.random.default_rng(seed).random((1, *grid), dtype=np.float32)) * ramp


def query(request: Request, seed: int = 0, grid: tuple[int, int, int] = GRID) -> Query:
    return Query(f"{request.kind}{seed}", "case", request, volume=lambda: volume(seed, grid), grid=lambda: grid)


def made(folder: Path, requests: str = "default", **options: Any) -> Med2E3:
    """A prepared adapter."""
    adapter: Med2E3 = registry.create(
        "adapters", "med-2e3", {"weights": str(folder), "max_new_tokens": "16", **options}
    )
    adapter.prepare(Context("task", "text", 0, train=lambda: iter(()), requests=requests))
    return adapter


@pytest.fixture(scope="module")
def med(random_med_2e3: Path) -> Med2E3:
    return made(random_med_2e3)


@pytest.fixture
def runner(med: Med2E3) -> Runner:
    assert med._runner is not None
    return med._runner


@pytest.fixture
def copied(random_med_2e3: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(random_med_2e3, tmp_path / "copy"))


# Batches


def test_answers_and_slice_weights_do_not_depend_on_the_batch(med: Med2E3, runner: Runner) -> None:
    asked = [Asked(volume(seed % 3), text, med._tokens.ids(text)) for seed, text in enumerate(QUESTIONS)]

    def answers(size: int) -> list[Answered]:
        return [
            one
            for start in range(0, 8, size)
            for one in runner.answer(asked[start : start + size], 16, med._tokens.end)
        ]

    alone = answers(1)
    assert len({len(one.ids) for one in alone}) > 1
    assert len({len(one.ids) for one in asked}) > 3
    assert answers(4) == answers(8) == alone
    assert all(len(one.slices.weights) == 24 for one in alone)
    assert all(sum(one.slices.weights) == pytest.approx(1, abs=1e-4) for one in alone)


def test_a_batch_that_does_not_fit_is_halved(med: Med2E3, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = [query(Request("answer", question=text), seed) for seed, text in enumerate(QUESTIONS[:5])]
    whole, generate = med.predict(questions), runner.model.generate

    def scarce(rows: Any, *rest: Any) -> Any:
        if len(rows) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(rows, *rest)

    monkeypatch.setattr(runner.model, "generate", scarce)
    assert med.predict(questions) == whole
    assert med.recorded()["batch_limit"] == 2
    runner.halving.limit = 0


def test_questions_on_one_volume_share_the_towers(med: Med2E3, runner: Runner) -> None:
    before = runner.seen.computed
    answers = med.predict([query(Request("answer", question=text), seed=70) for text in QUESTIONS])
    assert runner.seen.computed == before + 1
    assert len({answer.slices for answer in answers}) == 8, "each question weighs the slices anew"


# Prompts


def test_requests_become_prompts(med: Med2E3) -> None:
    choose = Request("choose", question="what is it ?", choices={"A": "liver", "B": "spleen"}, wording="other")
    asked = [choose, Request("answer", question="is it axial ?"), Request("report", wording="Tell.")]
    answers = med.predict([query(one) for one in asked])
    assert [answer.wording for answer in answers] == [
        "what is it ? Choices: A. liver B. spleen",
        "is it axial ?",
        "Please generate a medical report based on this image.",
    ]
    for answer in answers:
        assert answer.prompt_ids == tuple(med._tokens.ids(answer.wording))
        assert answer.prompt_ids[0] == 1
        assert answer.prompt_ids.count(1) == answer.prompt_ids.count(VOLUME) == 1
        assert answer.notes == tuple(note for note in answer.notes if note != RESIZED)


@pytest.mark.parametrize(("options", "requests"), [({"wording": "request"}, "default"), ({}, "upstream")])
def test_a_request_can_be_taken_at_its_word(options: Any, requests: str, random_med_2e3: Path) -> None:
    med = made(random_med_2e3, requests, **options)
    answers = med.predict([query(Request("report", wording="Tell what is in the image."))])
    assert [answer.wording for answer in answers] == ["Tell what is in the image."]


def test_a_prompt_that_is_too_long_loses_its_end_and_is_counted(med: Med2E3) -> None:
    long, short = med.predict([query(Request("answer", question="liver " * count)) for count in (400, 3)])
    assert CUT in long.notes
    assert CUT not in short.notes


def test_a_volume_is_cropped_to_what_is_above_zero(med: Med2E3) -> None:
    inner = volume(5, (20, 50, 60))
    padded = np.pad(inner, ((0, 0), (3, 1), (6, 8), (2, 2)))
    ask = Request("answer", question="what is it ?")
    whole, inside = med.predict(
        [Query("a", "a", ask, lambda: padded, lambda: GRID), Query("b", "b", ask, lambda: inner, lambda: GRID)]
    )
    assert whole.slices is not None
    assert inside.slices is not None
    assert (whole.slices.first, whole.slices.stop) == (3, 23)
    assert (inside.slices.first, inside.slices.stop) == (0, 20)
    assert whole.slices.weights == inside.slices.weights
    assert whole.text == inside.text


def test_a_volume_that_was_not_prepared_is_an_error(med: Med2E3) -> None:
    ask = Request("answer", question="what is it ?")
    with pytest.raises(ValueError, match=r"the model was trained on 0..1"):
        med.predict([Query("a", "a", ask, lambda: volume(0) * 400 - 200, lambda: GRID)])


# Slices are scored by the checkpoint's projection, or as the reference leaves it


def weights_of(med: Med2E3) -> np.ndarray:
    (answer,) = med.predict([query(Request("answer", question="what is it ?"))])
    assert answer.slices is not None
    return np.asarray(answer.slices.weights)


def test_the_reference_loaders_bug_is_an_option_and_a_fact(med: Med2E3, random_med_2e3: Path) -> None:
    bug = made(random_med_2e3, reference_loader_bug="true")
    again = made(random_med_2e3, reference_loader_bug="true", loader_seed="0")
    other = made(random_med_2e3, reference_loader_bug="true", loader_seed="1")
    assert np.array_equal(weights_of(bug), weights_of(again))
    assert np.abs(weights_of(bug) - weights_of(med)).max() > 1e-4
    assert np.abs(weights_of(bug) - weights_of(other)).max() > 1e-4
    told = [one.facts()["slice_scoring"]["projection"] for one in (med, bug, other)]
    assert told == ["of the checkpoint", "random, seed 0", "random, seed 1"]
    assert [one.facts()["slice_scoring"]["reference_loader_bug"] for one in (med, bug)] == [False, True]
    assert ["warning" in one.recorded() for one in (med, bug)] == [False, True]
    assert bug._runner is not None
    layer = bug._runner.model.vision3d_connector.text_mlp
    assert float(layer.weight.abs().max()) == pytest.approx(layer.in_features**-0.5, rel=0.02)


def test_a_checkpoint_without_the_projection_runs_only_with_the_bug(copied: Path) -> None:
    change(copied, "vision3d_connector", lambda tensors: [tensors.pop(f"text_mlp.{end}") for end in ("weight", "bias")])
    with pytest.raises(UserError, match=r"2 missing \(vision3d_connector\.text_mlp\.weight, .*\.bias\)"):
        made(copied)
    assert weights_of(made(copied, reference_loader_bug="true")).shape == (24,)


def test_half_precision(random_med_2e3: Path, med: Med2E3) -> None:
    half = made(random_med_2e3, dtype="bf16")
    assert half._runner is not None
    assert {value.dtype for value in half._runner.model.state_dict().values()} == {torch.bfloat16}
    np.testing.assert_allclose(weights_of(half), weights_of(med), atol=5e-3)


# Bad folders


def change(folder: Path, part: str, how: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = folder / part / "pytorch_model.bin"
    tensors = torch.load(path)
    how(tensors)
    torch.save(tensors, path)


def test_tensors_that_do_not_fit_are_named_with_their_part(copied: Path) -> None:
    change(copied, "vision2d_connector", lambda tensors: tensors.update(strange=tensors.pop("_connector.0.weight")))
    change(copied, "llm", lambda tensors: tensors.update({"model.norm.weight": torch.ones(5)}))
    with pytest.raises(UserError) as caught:
        made(copied)
    for told in (
        "not the weights of Med2E3",
        "1 missing (vision2d_connector._connector.0.weight)",
        "1 unexpected (vision2d_connector/strange)",
        "llm.model.norm.weight (5,), expected (32,)",
    ):
        assert told in caught.value.message
    assert caught.value.file == str(copied)


def settings(folder: Path, part: str, **fields: Any) -> None:
    path = folder / part / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.mark.parametrize(
    ("part", "fields", "told"),
    [
        ("args", {"vision3d_connector_type": "mlp2x_gelu"}, "vision3d_connector_type is 'mlp2x_gelu'"),
        ("args", {"vision2d_model_select_layer": -2}, "vision2d_model_select_layer is -2"),
        ("llm", {"rope_scaling": None}, "rope_scaling of llm_config is missing"),
        ("llm", {"original_max_position_embeddings": 170}, "an answer of 16 tokens does not fit"),
        ("args", {"llm_max_length": 28}, "llm_max_length is 28, and a volume takes 28 of them"),
        ("vision2d_model", {"image_size": 96}, "slices of 64x64 voxels, and vision2d_model takes 96"),
        ("vision3d_model", {"num_heads": 5}, "a width of 48 not by 5 heads"),
    ],
)
def test_settings_of_another_model_are_named(part: str, fields: dict[str, Any], told: str, copied: Path) -> None:
    settings(copied, part, **fields)
    with pytest.raises(UserError, match=told):
        made(copied)


def test_a_folder_that_is_not_whole_is_told(copied: Path, random_clip: Path, tmp_path: Path) -> None:
    (copied / "llm" / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="the part llm is a LoRA adapter"):
        made(copied)
    (copied / "llm" / "adapter_config.json").unlink()
    with pytest.raises(UserError, match=r"a folder with args/config\.json, llm, vision2d_model"):
        made(copied / "llm" / "pytorch_model.bin", tokenizer=str(copied / "llm"), question_tokenizer=str(random_clip))
    shutil.rmtree(copied / "vision3d_model")
    with pytest.raises(UserError, match="there is no vision3d_model: these weights are"):
        made(copied)


def test_tokenizers_are_found_or_asked_for(copied: Path, random_clip: Path) -> None:
    (copied / "m3d_clip_tokenizer").rename(copied / "elsewhere")
    with pytest.raises(UserError, match=r"tokenizer of the questions .* is not on this machine") as caught:
        made(copied)
    assert "-o question_tokenizer=FOLDER" in str(caught.value.fix)
    made(copied, question_tokenizer=str(copied / "elsewhere"))
    with pytest.raises(UserError, match="there is no tokenizer"):
        made(copied, tokenizer=str(copied / "args"), question_tokenizer=str(random_clip))
    with pytest.raises(UserError, match=r"there is no tokenizer at \./nowhere"):
        made(copied, tokenizer="./nowhere", question_tokenizer=str(random_clip))


def test_settings_are_read_without_warnings_of_transformers(
    random_med_2e3: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    transformers.logging.set_verbosity_warning()  # as it is by itself
    monkeypatch.setattr(logging.Logger, "warning_once", logging.Logger.warning)  # it would be silent a second time
    adapter: Med2E3 = registry.create("adapters", "med-2e3", {"weights": str(random_med_2e3)})
    assert adapter._config.max_length == 160
    assert not caplog.records


def test_tokenizers_of_other_models_are_refused(copied: Path) -> None:
    with pytest.raises(UserError, match="the tokenizer is not BERT's") as caught:
        made(copied, question_tokenizer=str(copied / "llm"))
    assert caught.value.file == str(copied / "llm")
    with pytest.raises(UserError, match=r"not Med-2E3's: its end token is None, expected '<\|endoftext\|>'"):
        made(copied, tokenizer=str(copied / "m3d_clip_tokenizer"))
    with pytest.raises(UserError, match="not Med-2E3's: it has 25 tokens, and the language model 20"):
        PromptTokens(copied / "llm", 20)
    (copied / "llm" / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="the tokenizer cannot be read"):
        made(copied)


def test_the_old_name_of_the_rotary_scaling_means_the_same(random_med_2e3: Path) -> None:
    fields = complete(json.loads((random_med_2e3 / "args" / "config.json").read_text()), random_med_2e3)
    scaling = fields["llm_config"]["rope_scaling"]
    old = {**fields, "llm_config": {**fields["llm_config"], "rope_scaling": {**scaling, "type": "su"}}}
    assert Med2E3Config.of(old).language.to_dict() == Med2E3Config.of(fields).language.to_dict()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"wording": "mine"}, "no wording 'mine'"),
        ({"max_new_tokens": "0"}, "at least 1"),
        ({"loader_seed": "3"}, "loader_seed is for reference_loader_bug alone"),
    ],
)
def test_wrong_options_are_named(options: dict[str, str], told: str, random_med_2e3: Path) -> None:
    with pytest.raises(UserError, match=told):
        registry.create("adapters", "med-2e3", {"weights": str(random_med_2e3), **options})


# The journal


def test_slice_weights_are_in_the_journal_and_resume_to_the_same_bytes(
    random_med_2e3: Path, phantom: Path, tmp_path: Path
) -> None:
    adapter = made(random_med_2e3)
    adapter.batch_size = 2
    folder = RunFolder.create(tmp_path / "run")
    folder.begin()

    def run() -> bytes:
        run_task(registry.create("tasks", "vqa_closed"), adapter, open_data(phantom), folder, Settings(limit=5))
        return journal.read_bytes()

    journal = tmp_path / "run" / "vqa_closed" / "predictions.jsonl"
    undisturbed = run()
    rows = [json.loads(line) for line in undisturbed.splitlines()]
    assert [len(row["slices"]["weights"]) for row in rows] == [24] * 5
    assert all(0 <= row["slices"]["first"] < row["slices"]["stop"] <= 24 for row in rows)
    for cut in (0.35, 0.8):  # as a killed writer leaves it, in the middle of a line and of a batch
        journal.write_bytes(undisturbed[: int(len(undisturbed) * cut)])
        assert run() == undisturbed
