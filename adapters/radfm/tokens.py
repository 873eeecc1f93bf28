"""Prompts of RadFM as token ids: the start token, then texts and scans in any order.

RadFM was trained with the sentencepiece tokenizer of LLaMA in its older form: each stretch of text between scans is
encoded by itself, as if it began a text. The ids of scans follow from the vocabulary's size, so no token is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from m3dbench.adapters.checkpoints.digest import files_digest
from m3dbench.adapters.radfm.pieces import FILES, opened
from m3dbench.data.prediction import runs_of
from m3dbench.errors import UserError

REPORT = "Please caption this scan with finding and impression."
"""One of the sentences that its reports were trained with; questions are asked as they are."""
SPECIAL = {"<unk>": 0, "<s>": 1, "</s>": 2}
START = SPECIAL["<s>"]
GOLDEN: tuple[str | int, ...] = (0, REPORT)
"""Its ids stand in every run's record: environments that disagree on them disagree on everything else."""
LLAMAS = (3529, 5777, 683, 445, 12812, 411, 9138, 322, 17188, 29889)
"""What LLaMA's tokenizer makes of the golden prompt's text in the form that the model was trained with."""
LLAMAS_SIZE = 32000


class PromptTokens:
    """The tokenizer in a folder. words: size of the language model's vocabulary. latents: ids of one scan.

    Raises UserError when it is not the one that the model was trained with.
    """

    def __init__(self, folder: Path, words: int, latents: int) -> None:
        self.folder = folder
        self.words = words
        self.latents = latents
        self._pieces = opened(folder)
        found = {token: self._pieces.id_of(token) for token in SPECIAL}
        if found != SPECIAL:
            raise _unfit(folder, f"special tokens are {found}, expected {SPECIAL}")
        if self._pieces.size != words:
            raise _unfit(folder, f"it has {self._pieces.size} tokens, and the language model {words}")
        self.golden = self.ids(GOLDEN)
        if words == LLAMAS_SIZE and tuple(self.golden[3 + latents :]) != LLAMAS:
            told = f"{REPORT!r} has the ids {self.golden[3 + latents :]}, expected {list(LLAMAS)}"
            raise _unfit(folder, told)

    def scan(self, number: int) -> list[int]:
        """Ids that stand for a scan, counted from 0: ``<image>``, its vectors, ``</image>``."""
        first = self.words + 2 + number * self.latents
        return [self.words, *range(first, first + self.latents), self.words + 1]

    def ids(self, parts: Sequence[str | int]) -> list[int]:
        """Token ids of a prompt: start token, then ``parts``, texts and numbers of scans. Spaces beside a scan vanish,
        as in training."""
        found = [START]
        scans = [isinstance(part, int) for part in ("", *parts, "")]
        for place, part in enumerate(parts):
            if isinstance(part, int):
                found += self.scan(part)
                continue
            text = part.lstrip(" ") if scans[place] else part
            text = text.rstrip(" ") if scans[place + 2] else text
            found += self._pieces.encode(text) if text else []
        return found

    def text(self, ids: Sequence[int]) -> str:
        """What an answer's ids say, special tokens left out."""
        special = SPECIAL.values()
        return self._pieces.decode([token for token in ids if token not in special and token < self.words]).strip()

    def facts(self) -> Mapping[str, Any]:
        """The layout of prompts, the golden prompt's ids as runs (id, how often), a digest of the tokenizer's files."""
        return {
            "layout": f"<s>, <image>, {self.latents} places, </image>, wording",
            "golden": {"wording": REPORT, "ids": runs_of(self.golden)},
            "tokenizer": files_digest(self.folder, FILES),
        }


def _unfit(folder: Path, reason: str) -> UserError:
    return UserError(
        f"the tokenizer is not RadFM's: {reason}",
        file=folder,
        fix="use the files of RadFM's Language_files folder (its tokenizer.model is LLaMA's)",
    )
