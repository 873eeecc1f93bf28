"""RadFM as an adapter, on checkpoints of toy size: volumes, prompts, batches, kept vectors, records, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_radfm import GRID, created, made, query, volume
from tokenizers import Tokenizer, models

from m3dbench.adapter import Query
from m3dbench.adapters.generation import UNFINISHED
from m3dbench.adapters.radfm.adapter import RadFMAdapter
from m3dbench.adapters.radfm.answers import CONSTANT, RESIZED
from m3dbench.adapters.radfm.running import Runner
from m3dbench.adapters.radfm.tokens import PromptTokens
from m3dbench.adapters.radfm.vision import spread
from m3dbench.adapters.radfm.volumes import scan
from m3dbench.data.sample import Request
from m3dbench.errors import UserError

pytestmark = pytest.mark.usefixtures("one_thread")
QUESTIONS = ("what is in the image ?", "no", "can you find the spleen in the image ? please output it .", "a liver ?")


@pytest.fixture(scope="module")
def radfm(random_radfm: Path) -> RadFMAdapter:
    return made(random_radfm)


@pytest.fixture
def runner(radfm: RadFMAdapter) -> Runner:
    assert radfm._runner is not None
    radfm._runner.halving.limit = 0
    return radfm._runner


# Volumes


def test_slices_are_the_last_axis_and_no_other_axes_are_exchanged() -> None:
    shown = volume(1, (8, 256, 256))
    study = scan(shown)
    assert study.shape == (1, 3, 256, 256, 8)
    stretched = (shown - shown.min()) / (shown.max() - shown.min())
    for channel in range(3):
        np.testing.assert_allclose(study[0, channel].numpy(), np.moveaxis(stretched[0], 0, -1), atol=1e-6)


def test_sizes_follow_the_slices() -> None:
    assert scan(volume(1, (30, 64, 80))).shape == (1, 3, 256, 256, 28)
    assert scan(volume(1, (30, 64, 80)), "loader").shape == (1, 3, 512, 512, 28)
    assert scan(volume(1, (1, 64, 64))).shape == (1, 3, 512, 512, 4)


def test_any_range_of_values_is_stretched(runner: Runner) -> None:
    shown = volume(1)
    torch.testing.assert_close(runner.features.of(shown), runner.features.of(shown * 2000 - 1000), atol=1e-4, rtol=0)
    assert not torch.equal(runner.features.of(shown), runner.features.of(volume(2)))


def test_a_constant_volume_is_shown_as_zeros_and_noted(radfm: RadFMAdapter) -> None:
    for value in (0.0, 0.4):
        (answer,) = radfm.predict([query("a", np.full((1, 8, 256, 256), value, np.float32))])
        assert CONSTANT in answer.notes and RESIZED not in answer.notes
    assert scan(np.full((1, *GRID), 0.4, np.float32)).abs().max() == 0
    (answer,) = radfm.predict([query("a")])
    assert RESIZED in answer.notes and CONSTANT not in answer.notes


def test_values_that_are_not_finite_are_an_error(radfm: RadFMAdapter) -> None:
    with pytest.raises(ValueError, match="values run from nan to nan"):
        radfm.predict([query("a", np.full((1, *GRID), np.nan, np.float32))])


def test_patches_read_the_last_position_of_their_share() -> None:
    assert spread(3, 16).tolist() == [4, 9, 14]
    assert spread(8, 16).tolist() == [1, 3, 5, 7, 9, 11, 13, 15]


@pytest.mark.parametrize("shape", [(1, 3, 256, 250, 8), (1, 3, 256, 256, 6), (1, 1, 256, 256, 8), (1, 3, 544, 256, 8)])
def test_images_that_patches_do_not_tile_are_an_error(shape: tuple[int, ...], runner: Runner) -> None:
    with pytest.raises(ValueError, match=r"expected \(N, 3, H, W, D\)"):
        runner.model.embedding_layer.visual(torch.zeros(shape))


# Prompts


def test_ids_of_scans_stand_where_the_text_has_them(radfm: RadFMAdapter, runner: Runner) -> None:
    tokens, words = radfm._tokens, radfm._tokens.words
    first, second = [words, *range(words + 2, words + 6), words + 1], [words, *range(words + 6, words + 10), words + 1]
    text = tokens.ids(["what is"])[1:]
    assert tokens.ids([0, "what is"]) == [1, *first, *text]
    assert tokens.ids(["what is ", 1, " ", 0, "what is"]) == [1, *text, *second, *first, *text]
    visual = torch.randn(2, 4, 32)
    with torch.inference_mode():
        found = runner.model.embedding_layer(torch.tensor([1, *second, 5, *first]), visual)
        assert torch.equal(found[2:6], visual[1])
        assert torch.equal(found[9:13], visual[0])
        assert torch.equal(found[[1, 6]], runner.model.embedding_layer.figure_token_weight)
        assert torch.equal(found[7], runner.model.lang_model.model.embed_tokens.weight[5])
        with pytest.raises(ValueError, match=rf"has the id {words + 9}, and 1 scans end at {words + 6}"):
            runner.model.embedding_layer(torch.tensor([1, *second]), visual[:1])


def test_requests_are_worded_as_the_model_was_trained(radfm: RadFMAdapter) -> None:
    asked = [
        Request("report", wording="Tell what is there."),
        Request("answer", question="What is it?", wording="Say it."),
        Request("choose", question="Which?", choices={"A": "liver", "B": "spleen"}, wording="Choose."),
    ]
    answers = radfm.predict([Query(one.kind, "c", one, lambda: volume(0), lambda: GRID) for one in asked])
    expected = [
        "Please caption this scan with finding and impression.",
        "What is it?",
        "Which? Choices: A. liver B. spleen",
    ]
    assert [answer.wording for answer in answers] == expected
    assert list(answers[1].prompt_ids) == radfm._tokens.ids([0, "What is it?"])
    with pytest.raises(ValueError, match="requests of kind 'locate' are none for this model"):
        radfm.predict([Query("a", "c", Request("locate", target="liver"), lambda: volume(0), lambda: GRID)])


@pytest.mark.parametrize(("options", "requests"), [({"wording": "request"}, "default"), ({}, "upstream")])
def test_a_request_can_be_taken_at_its_word(options: Any, requests: str, random_radfm: Path) -> None:
    (answer,) = made(random_radfm, requests, **options).predict([query("what", wording="no ?")])
    assert answer.wording == "no ?"


def test_a_prompt_without_room_for_an_answer_is_an_error(radfm: RadFMAdapter) -> None:
    with pytest.raises(ValueError, match=r"the prompt has 60\d tokens, and the model takes 496 with an answer"):
        radfm.predict([query("liver " * 600)])


def test_a_limit_that_no_answer_fits_is_refused_at_once(random_radfm: Path) -> None:
    with pytest.raises(
        UserError, match=r"an answer of 510 tokens .* beside a prompt of 1\d: the model takes 512"
    ) as told:
        made(random_radfm, max_new_tokens="510")
    assert told.value.field == "max_new_tokens"


def test_a_stretch_of_text_between_scans_begins_like_a_text(tmp_path: Path) -> None:
    """A sentencepiece model as LLaMA's is: a space goes before each stretch, and those beside scans are dropped."""
    spm = pytest.importorskip("sentencepiece")
    lines = ["what is in the scan", "is the liver in the scan", "what liver is this", "<unseen>"] * 5
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=str(tmp_path / "tokenizer"),
        model_type="bpe",
        vocab_size=300,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    tokens = PromptTokens(tmp_path, 300, 2)
    pieces = tokens._pieces._pieces
    what, liver = pieces.encode("what is"), pieces.encode("liver")
    assert pieces.id_to_piece(liver[0]).startswith("▁")
    for parts in (["what is", 0, "liver"], ["what is ", 0, " liver"]):
        assert tokens.ids(parts) == [1, *what, *tokens.scan(0), *liver]
    assert tokens.text([1, *what, 2, *tokens.scan(0)]) == "what is"
    (tmp_path / "tokenizer.model").write_bytes(b"none")
    with pytest.raises(UserError, match="the tokenizer cannot be read"):
        PromptTokens(tmp_path, 300, 2)


def test_tokenizers_of_other_models_are_refused(random_radfm: Path, tmp_path: Path) -> None:
    words = created(random_radfm)._tokens.words
    with pytest.raises(UserError, match=f"it has {words} tokens, and the language model {words + 1}"):
        PromptTokens(random_radfm, words + 1, 4)
    with pytest.raises(UserError, match=r"there is no tokenizer.model or tokenizer.json"):
        PromptTokens(tmp_path, words, 4)

    def saved(vocabulary: Sequence[str]) -> Path:
        ids = {word: place for place, word in enumerate(vocabulary)}
        Tokenizer(models.WordLevel(ids, unk_token="<unk>")).save(str(tmp_path / "tokenizer.json"))
        return tmp_path

    with pytest.raises(UserError, match="special tokens are"):
        PromptTokens(saved(["<s>", "</s>", "<unk>"]), 3, 4)
    with pytest.raises(UserError, match=r"'Please caption .*' has the ids \[0\], expected \[3529, 5777"):
        PromptTokens(saved(["<unk>", "<s>", "</s>", *map(str, range(31997))]), 32000, 32)


# Batches change nothing, vectors are kept


def test_answers_do_not_depend_on_the_batch(radfm: RadFMAdapter, runner: Runner) -> None:
    asked = [query(question, volume(seed)) for seed in range(3) for question in QUESTIONS]
    alone = [radfm.predict([one])[0] for one in asked]
    assert len({len(one.prompt_ids) for one in alone}) > 3
    assert len({one.text for one in alone}) > 3
    assert 0 < sum(UNFINISHED in one.notes for one in alone) < len(alone), "some answers end by themselves"
    for size in (4, 12):
        for start in range(0, 12, size):
            assert list(radfm.predict(asked[start : start + size])) == alone[start : start + size]


def test_logits_do_not_depend_on_the_batch(radfm: RadFMAdapter, runner: Runner) -> None:
    visual = [runner.features.of(volume(seed)) for seed in range(4)]
    prompts = [torch.tensor(radfm._tokens.ids([0, question])) for question in QUESTIONS]
    with torch.inference_mode():
        together = runner.model(visual, prompts)[:, -1]
        for place, (seen, ids) in enumerate(zip(visual, prompts, strict=True)):
            torch.testing.assert_close(runner.model([seen], [ids])[0, -1], together[place], atol=1e-5, rtol=0)


def test_a_batch_that_does_not_fit_is_halved_and_recorded(
    radfm: RadFMAdapter, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate, sizes = runner.model.generate, []

    def scarce(visual: Sequence[Any], prompts: Sequence[Any], limit: int) -> Any:
        sizes.append(len(prompts))
        if len(prompts) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(visual, prompts, limit)

    asked = [query(question) for question in QUESTIONS]
    whole = radfm.predict(asked)
    monkeypatch.setattr(runner.model, "generate", scarce)
    assert radfm.predict(asked) == whole
    assert sizes == [4, 2, 2]
    assert radfm.recorded()["batch_limit"] == 2


def test_questions_on_one_volume_share_its_vectors(radfm: RadFMAdapter, runner: Runner) -> None:
    before = runner.features.computed
    radfm.predict([query(question, volume(31)) for question in QUESTIONS])
    radfm.predict([query("a", volume(32)), query("a", volume(31))])
    assert runner.features.computed - before == 2
