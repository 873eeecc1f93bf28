"""Prompts of SegVol: a phrase around the name, as the token ids of CLIP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m3dbench.adapters.checkpoints.digest import files_digest
from m3dbench.adapters.checkpoints.tokenizer import FILES, load_tokenizer
from m3dbench.data.sample import Request
from m3dbench.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import CLIPTextConfig

PHRASE = "A computerized tomography of a {}."
"""What the model was trained with."""


def phrase(request: Request) -> str:
    """The prompt of a request: the class name, else the definition or question, in the place of a name."""
    told = request.target or request.description or request.question
    return PHRASE.format(told.strip().rstrip(".?!").strip())


class PromptTokens:
    """The tokenizer of a folder, without code from it, for a text tower of these settings.

    Raises UserError when a text does not lie between its start and its end token, or the tower knows fewer tokens.
    """

    def __init__(self, folder: Path, tower: CLIPTextConfig) -> None:
        self._folder = folder
        self._tokenizer: Any = load_tokenizer(folder)
        self._positions = tower.max_position_embeddings
        self.end: int = self._tokenizer.eos_token_id
        ids = self._tokenizer(PHRASE.format("liver"))["input_ids"]
        told = ""
        if self.end is None or (ids[0], ids[-1]) != (self._tokenizer.bos_token_id, self.end):
            told = f"a prompt's ids start with {ids[0]} and end with {ids[-1]}, expected "
            told += f"{self._tokenizer.bos_token_id} (the start token) and {self.end} (the end token)"
        elif len(self._tokenizer) > tower.vocab_size:
            told = f"it has {len(self._tokenizer)} tokens, and the text tower {tower.vocab_size}"
        if told:
            fix = "use the tokenizer files of the checkpoint, or of openai/clip-vit-base-patch32"
            raise UserError(f"the tokenizer is not CLIP's: {told}", file=folder, fix=fix)

    def ids(self, text: str) -> tuple[Tensor, Tensor, bool]:
        """Ids and attention mask (1, L) of a text, and whether it lost its end."""
        found = self._tokenizer([text], truncation=True, max_length=self._positions, return_tensors="pt")
        full = len(self._tokenizer(text, verbose=False)["input_ids"])
        return found["input_ids"], found["attention_mask"], full > self._positions

    def facts(self) -> Mapping[str, Any]:
        """The phrase, and a digest of the tokenizer's files."""
        return {"phrase": PHRASE, "tokenizer": files_digest(self._folder, FILES)}
