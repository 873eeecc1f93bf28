"""Reports as token ids: the start of a text as far as it fits, always the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from m3dbench.adapters.checkpoints.tokenizer import load_tokenizer
from m3dbench.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

MAX_TOKENS = 512
"""As the benchmark's script has it; the reference shortens longer texts by leaving out sentences at random."""


class ReportTokens:
    """The tokenizer of a checkpoint's folder, without code from it. positions: what the text tower has.

    Raises UserError when it is not BERT's: a text does not lie between ``[CLS]`` and ``[SEP]``.
    """

    def __init__(self, folder: Path, positions: int = MAX_TOKENS) -> None:
        self._tokenizer = load_tokenizer(folder)
        ids, ends = self._tokenizer("a")["input_ids"], (self._tokenizer.cls_token_id, self._tokenizer.sep_token_id)
        if None in ends or (ids[0], ids[-1]) != ends:
            told = f"the tokenizer is not BERT's: a text's ids start with {ids[0]} and end with {ids[-1]}"
            raise UserError(told, file=folder, fix="use the tokenizer files of GoodBaiBai88/M3D-CLIP")
        self._limit = min(MAX_TOKENS, positions)

    def ids(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, list[bool]]:
        """Ids and attention mask (B, L), padded to the longest, and which texts lost their end."""
        found = self._tokenizer(list(texts), truncation=True, max_length=self._limit, padding=True, return_tensors="pt")
        full = self._tokenizer(list(texts), verbose=False)["input_ids"]
        return found["input_ids"], found["attention_mask"], [len(ids) > self._limit for ids in full]
