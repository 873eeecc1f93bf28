"""Prompts as token ids: the layout that the network needs, and the spacing that the model was trained with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from m3dbench.adapters.m3d_lamed.tokens import ADDED, PromptTokens
from m3dbench.errors import UserError

PARITY = ("m3d_lamed_llama", "m3d_lamed_phi3")
SEG = 6


@pytest.mark.parametrize("name", PARITY)
def test_prompt_ids_are_those_of_the_reference(name: str, shared: Path) -> None:
    folder = shared / "parity" / name
    tokens = PromptTokens(folder, 256, SEG)
    recorded = np.load(folder / "expected.npz")
    for number, case in enumerate(json.loads((folder / "cases.json").read_text())["questions"]):
        assert tokens.ids(case["question"]) == recorded[f"{number}.input_ids"].ravel().tolist()
        assert tokens.ids(" " + case["question"])[257:] == tokens.ids(case["question"])[257:]


def test_the_layout_is_asserted(random_lamed: Path, tmp_path: Path) -> None:
    def without_start(content: str) -> str:
        return json.dumps({**json.loads(content), "post_processor": None})

    def without_seg(content: str) -> str:
        return content.replace("[SEG]", "[GES]")

    for change, told in ((without_start, r"expected 1 \(the start token\)"), (without_seg, r"\[SEG\]")):
        folder = tmp_path / change.__name__
        shutil.copytree(random_lamed, folder)
        (folder / "tokenizer.json").write_text(change((folder / "tokenizer.json").read_text()))
        (folder / "tokenizer_config.json").write_text(without_seg((folder / "tokenizer_config.json").read_text()))
        with pytest.raises(UserError, match=told):
            PromptTokens(folder, 12, SEG)
    with pytest.raises(UserError, match="and seg_token_id in config"):
        PromptTokens(random_lamed, 12, 5)
    with pytest.raises(UserError, match="no word follows"):
        PromptTokens(random_lamed, 12, SEG).ids("")


def sentencepiece_like(folder: Path, *, legacy: bool | None, model_file: bool) -> PromptTokens:
    """A byte-pair tokenizer in which a word with its space is one token, as Llama's; fast form, without the extra space."""
    folder.mkdir()
    pieces = ["<unk>", "<s>", "</s>", "▁", *"What", "Wh", "at", "What", "▁What"]
    merges = [("W", "h"), ("a", "t"), ("Wh", "at"), ("▁", "What")]
    vocabulary = {piece: place for place, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    fast.add_special_tokens({"additional_special_tokens": list(ADDED[:3])})
    fast.add_tokens([ADDED[3]])
    fast.save_pretrained(folder)
    if model_file:
        (folder / "tokenizer.model").write_bytes(b"sentencepiece")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "legacy": legacy}))
    return PromptTokens(folder, 4, len(vocabulary) + 3)


@pytest.mark.parametrize(
    ("legacy", "model_file", "words"),
    [(None, True, ["▁", "▁What"]), (True, True, ["▁", "▁What"]), (False, True, ["▁What"]), (None, False, ["▁What"])],
)
def test_a_stretch_after_placeholders_gets_a_space_of_its_own_where_training_had_it(
    legacy: bool | None, model_file: bool, words: list[str], tmp_path: Path
) -> None:
    tokens = sentencepiece_like(tmp_path / "tokenizer", legacy=legacy, model_file=model_file)
    assert tokens._tokenizer.convert_ids_to_tokens(tokens.ids(" What")[5:]) == words
