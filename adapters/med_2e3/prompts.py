"""Prompts of Med-2E3: a conversation's fixed frame with the volume and the question in it, as token ids.

The frame is the model's interface, and not Phi-3's chat template. Each stretch of text is tokenised by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from m3dbench.adapters.checkpoints.digest import files_digest
from m3dbench.adapters.checkpoints.tokenizer import FILES, load_tokenizer
from m3dbench.adapters.med_2e3.model import VOLUME
from m3dbench.data.prediction import runs_of
from m3dbench.errors import UserError

BEFORE = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions. USER: "
)
AFTER = "\n{} ASSISTANT:"
"""What stands before the volume, and after it around the question."""
END = "<|endoftext|>"
GOLDEN = "Can you describe the liver in this image?"
"""The ids of its prompt stand in every run's record."""
REPORT = "Please generate a medical report based on this image."


class PromptTokens:
    """The language model's tokenizer, without code from its folder. words: size of its vocabulary. end: the token that
    ends an answer.

    Raises UserError when the tokenizer ends answers by another token, or has more tokens than the model.
    """

    def __init__(self, folder: Path, words: int) -> None:
        self.folder = folder
        self._tokenizer = load_tokenizer(folder)
        told = ""
        if self._tokenizer.eos_token != END:
            told = f"its end token is {self._tokenizer.eos_token!r}, expected {END!r}"
        elif len(self._tokenizer) > words:
            told = f"it has {len(self._tokenizer)} tokens, and the language model {words}"
        if told:
            fix = "use the files of microsoft/Phi-3-mini-128k-instruct"
            raise UserError(f"the tokenizer is not Med-2E3's: {told}", file=folder, fix=fix)
        self.end = int(self._tokenizer.eos_token_id)
        start = self._tokenizer.bos_token_id
        self._start = [start] if start is not None and self._tokenizer("a")["input_ids"][:1] == [start] else []
        self.golden = self.ids(GOLDEN)

    def ids(self, asked: str) -> list[int]:
        """A prompt's ids: the start token once, where the tokenizer has one, the frame, ``VOLUME``, the question."""
        before, after = (self._plain(part) for part in (BEFORE, AFTER.format(asked.strip())))
        return [*self._start, *before, VOLUME, *after]

    def text(self, ids: tuple[int, ...]) -> str:
        """What ids say, special tokens left out."""
        told: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return told.strip()

    def facts(self) -> Mapping[str, Any]:
        """The layout of prompts, the golden prompt's ids as runs (id, how often), a digest of the tokenizer's files."""
        layout = f"{'start token, ' if self._start else ''}{BEFORE!r}, {VOLUME} for the volume, {AFTER!r}"
        golden = {"question": GOLDEN, "ids": runs_of(self.golden)}
        return {"layout": layout, "golden": golden, "tokenizer": files_digest(self.folder, FILES)}

    def _plain(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer(text)["input_ids"]
        return found[1:] if self._start and found[:1] == self._start else found
