"""Prompts of M3D-LaMed as token ids: the start token, a volume's placeholders, the words.

The network puts a volume's vectors at positions 1 to ``image_tokens`` whatever stands there, so this layout is asserted
for every prompt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from m3dbench.adapters.checkpoints.tokenizer import read_tokenizer
from m3dbench.data.prediction import runs_of
from m3dbench.errors import UserError

PATCH, SEG = "<im_patch>", "[SEG]"
ADDED = (PATCH, "<bx_start>", "<bx_end>", SEG)
"""The tokens added for M3D-LaMed, in the order of their ids."""
GOLDEN = " Can you segment the liver in this image? Please output the mask."
"""Its ids stand in every run's record: environments that disagree on them disagree on everything else."""
FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


class PromptTokens:
    """The tokenizer of a checkpoint's folder, without code from it.

    Raises UserError when it is not one that M3D-LaMed was trained with: an added token missing, another id of ``[SEG]``
    than config.json says, or a prompt whose ids are not laid out as the network needs them.
    """

    def __init__(self, folder: Path, image_tokens: int, seg_token: int) -> None:
        self.folder = folder
        self.image_tokens = image_tokens
        self._tokenizer = _loaded(folder)
        self.added = {token: self._tokenizer.convert_tokens_to_ids(token) for token in ADDED}
        unknown = [token for token, found in self.added.items() if found in (None, self._tokenizer.unk_token_id)]
        if unknown or list(self.added.values()) != sorted(set(self.added.values())):
            raise _unfit(folder, f"added tokens {', '.join(unknown) or 'out of order'}: {self.added}")
        if self.added[SEG] != seg_token:
            raise _unfit(folder, f"{SEG} is {self.added[SEG]}, and seg_token_id in config.json is {seg_token}")
        self.golden = self.ids(GOLDEN)

    def ids(self, words: str) -> list[int]:
        """Token ids of a prompt: start token, placeholders, then ``words`` as they are (their leading space too)."""
        found: list[int] = self._tokenizer(PATCH * self.image_tokens + words)["input_ids"]
        if self._tokenizer.eos_token_id is not None and found[-1] == self._tokenizer.eos_token_id:
            found = found[:-1]
        places = found[1 : 1 + self.image_tokens]
        if found[0] != self._tokenizer.bos_token_id or places != [self.added[PATCH]] * self.image_tokens:
            told = (
                f"a prompt starts with the ids {found[:3]}, expected {self._tokenizer.bos_token_id} (the start token)"
            )
            raise _unfit(self.folder, f"{told} and {self.image_tokens} times {self.added[PATCH]}")
        if len(found) == 1 + self.image_tokens or found[1 + self.image_tokens] == self.added[PATCH]:
            raise _unfit(self.folder, "no word follows a prompt's placeholders")
        return found

    def text(self, ids: Sequence[int]) -> str:
        """What ids say, special tokens left out. Published tokenizers keep ``[SEG]``, which is none there."""
        told: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return told.strip()

    def facts(self) -> Mapping[str, Any]:
        """The layout of prompts, the golden prompt's ids as runs (id, how often), a digest of the tokenizer's files."""
        digest = hashlib.sha256()
        for name in FILES:
            if (self.folder / name).is_file():
                digest.update(name.encode() + b"\0" + (self.folder / name).read_bytes())
        layout = f"start token, {PATCH} x {self.image_tokens}, wording"
        golden = {"wording": GOLDEN, "ids": runs_of(self.golden)}
        return {"layout": layout, "golden": golden, "tokenizer": digest.hexdigest()}


def _loaded(folder: Path) -> Any:
    tokenizer = read_tokenizer(folder)
    if not getattr(tokenizer, "is_fast", False):
        return tokenizer
    # Training used the sentencepiece tokenizer, in whose older form (`legacy`, the default where nothing is said) each
    # stretch between added tokens gets a space of its own: " What" is "▁", "▁What". Fast tokenizers leave that out.
    settings = folder / "tokenizer_config.json"
    legacy = json.loads(settings.read_text(encoding="utf-8")).get("legacy") if settings.is_file() else None
    if (folder / "tokenizer.model").is_file() and legacy is not False:
        from tokenizers import normalizers

        backend = tokenizer.backend_tokenizer
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        backend.pre_tokenizer = None
    return tokenizer


def _unfit(folder: Path, reason: str) -> UserError:
    return UserError(
        f"the tokenizer is not M3D-LaMed's: {reason}", file=folder, fix="use the tokenizer files of the checkpoint"
    )
