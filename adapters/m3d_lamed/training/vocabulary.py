"""Tokenizers of whole words and numbers, made from the phantom's own texts, saved as Hugging Face folders keep them.

A fraction such as 0.375 is one token, and so is a whole number: a box is then six choices, not thirty digits.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from m3dbench.data.phantom import CLASSES, DEFINITIONS

from .cases import GRID, TrainingCase, facts_for, restored
from .examples import KINDS_OF, SEG, example_of

_SPECIAL = ("<unk>", "<s>", "</s>")
_ADDED = ("<im_patch>", "<bx_start>", "<bx_end>")
BERT_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# A word with the space before it, a number, or a single sign.
_PIECE = r"\d+\.\d+|\d+|▁?[A-Za-z]+|▁?[^A-Za-z\d▁]|▁"
LARGEST = 220
"""Whole numbers up to this one are tokens: the largest size that a question offers is 204 mm."""


def fractions() -> list[str]:
    """Every bound that a box on the grid can have, as the reference writes it."""
    return sorted({str(round(index / size, 3) + 0.0) for size in GRID for index in range(size + 1)})


def corpus(cases: int = 1500) -> Iterator[str]:
    """Texts from which the words are taken; their seed is their own, what counts is that every phrase occurs."""
    empty = np.zeros(GRID, dtype=np.uint8)
    for number in range(cases):
        preparation = restored(number, facts_for(number, 0), empty, empty)
        labels = np.full(GRID, 0, dtype=np.uint8)
        # Every finding is in view, or nobody would ask for it.
        labels[0, 0, :3] = (100, 101, 102)
        case = restored(number, preparation.facts, empty, labels)
        yield from _texts(case)
    yield from CLASSES
    for texts in DEFINITIONS.values():
        yield from texts


def _texts(case: TrainingCase) -> Iterator[str]:
    draws = np.random.default_rng(case.number)
    for kind, _ in KINDS_OF[case.preparation]:
        for own in (False, True):
            example = example_of(case, draws, kind=kind, own=own)
            yield from (example.prompt, example.answer)


def language_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Word-level, with the four added tokens at the end of the vocabulary and ``<s>`` in front of every text."""
    words = Counter(
        piece for text in texts for piece in re.findall(_PIECE, text.replace(" ", "▁")) if not piece[0].isdigit()
    )
    numbers = [*fractions(), *map(str, range(LARGEST + 1))]
    vocabulary = list(dict.fromkeys([*_SPECIAL, *numbers, *sorted(words)]))
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(vocabulary)}, unk_token=_SPECIAL[0])
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECE), "isolated")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in _SPECIAL])
    tokenizer.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in _ADDED])
    tokenizer.add_tokens([AddedToken(SEG, special=False, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def bert_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """WordPiece of whole lower-case words and numbers; an unknown word falls back to its letters."""
    normal = normalizers.BertNormalizer(lowercase=True)
    split = pre_tokenizers.BertPreTokenizer()
    words = Counter(word for text in texts for word, _ in split.pre_tokenize_str(normal.normalize_str(text)))
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = [
        *BERT_SPECIAL,
        *letters,
        *(f"##{letter}" for letter in letters),
        *map(str, range(LARGEST + 1)),
        *sorted(words),
    ]
    vocabulary = list(dict.fromkeys(pieces))
    tokenizer = Tokenizer(
        models.WordPiece({word: index for index, word in enumerate(vocabulary)}, unk_token=BERT_SPECIAL[1])
    )
    tokenizer.normalizer, tokenizer.pre_tokenizer = normal, split
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(BERT_SPECIAL))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def save_language(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the tokenizer files of M3D-LaMed's layout."""
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<unk>",
        "padding_side": "right",
        "model_max_length": 512,
        "clean_up_tokenization_spaces": False,
        "additional_special_tokens": list(_ADDED),
    }
    _save(tokenizer, folder, config)


def save_bert(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the tokenizer files of M3D-CLIP's layout."""
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 512,
        "do_lower_case": True,
        **dict(zip(names, BERT_SPECIAL, strict=True)),
    }
    _save(tokenizer, folder, config)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word, _ in vocabulary), encoding="utf-8")


def _save(tokenizer: Tokenizer, folder: Path, config: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    special = {
        name: value for name, value in config.items() if name.endswith("_token") or name.startswith("additional")
    }
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=1), encoding="utf-8")
