"""Prompts of SegVol: a phrase around the name, as the token ids of CLIP."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m3dbench.adapters.checkpoints.tokenizer import load_tokenizer
from m3dbench.data.sample import Request
from m3dbench.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

PHRASE = "A computerized tomography of a {}."
"""What the model was trained with."""
FILES = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json")


def phrase(request: Request) -> str:
    """The prompt of a request: the class name, else the definition or question, in the place of a name."""
    told = request.target or request.description or request.question
    return PHRASE.format(told.strip().rstrip(".?!").strip())


class PromptTokens:
    """The tokenizer of a checkpoint's folder, without code from it. positions: what the text tower has.

    Raises UserError when a text does not lie between its start and its end token.
    """

    def __init__(self, folder: Path, positions: int) -> None:
        self._folder = folder
        self._tokenizer: Any = load_tokenizer(folder)
        self._positions = positions
        self.end: int = self._tokenizer.eos_token_id
        ids = self._tokenizer(PHRASE.format("liver"))["input_ids"]
        if self.end is None or (ids[0], ids[-1]) != (self._tokenizer.bos_token_id, self.end):
            raise UserError(
                f"the tokenizer is not CLIP's: a prompt's ids start with {ids[0]} and end with {ids[-1]}, expected "
                f"{self._tokenizer.bos_token_id} (the start token) and {self.end} (the end token)",
                file=folder,
                fix="use the tokenizer files of the checkpoint, or of openai/clip-vit-base-patch32",
            )

    def ids(self, text: str) -> tuple[Tensor, Tensor, bool]:
        """Ids and attention mask (1, L) of a text, and whether it lost its end."""
        found = self._tokenizer([text], truncation=True, max_length=self._positions, return_tensors="pt")
        full = len(self._tokenizer(text, verbose=False)["input_ids"])
        return found["input_ids"], found["attention_mask"], full > self._positions

    def facts(self) -> Mapping[str, Any]:
        """The phrase, and a digest of the tokenizer's files."""
        digest = hashlib.sha256()
        for name in FILES:
            if (self._folder / name).is_file():
                digest.update(name.encode() + b"\0" + (self._folder / name).read_bytes())
        return {"phrase": PHRASE, "tokenizer": digest.hexdigest()}
