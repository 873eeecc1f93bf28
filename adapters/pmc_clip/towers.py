"""PMC-CLIP at work: pictures and reports as its towers take them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from m3dbench.adapters.checkpoints import Checkpoint, Placement, load
from m3dbench.adapters.checkpoints.placed import configured
from m3dbench.adapters.checkpoints.selfcheck import SelfCheck, libraries
from m3dbench.adapters.checkpoints.tokenizer import load_tokenizer
from m3dbench.adapters.pmc_clip.model import UNUSED, PmcClip, PmcClipConfig
from m3dbench.adapters.pmc_clip.pixels import pixels
from m3dbench.adapters.slices.towers import Towers
from m3dbench.data.slices import Picture
from m3dbench.errors import UserError

LIBRARIES = {"torch": "2.4", "transformers": "4.45"}


class PmcClipTowers(Towers):
    """Both towers, loaded, with the tokenizer."""

    def __init__(self, model: PmcClip, tokenizer: Path, placement: Placement) -> None:
        super().__init__(placement)
        self.model = model
        self.text_limit = model.config.context
        self._tokenizer = load_tokenizer(tokenizer)
        words = model.text_encoder.config.vocab_size
        if len(self._tokenizer) > words:
            raise UserError(
                f"the tokenizer has {len(self._tokenizer)} words, and the text tower {words}",
                file=tokenizer,
                fix="give that of BiomedBERT (abstract-fulltext): -o tokenizer=FOLDER",
            )

    @staticmethod
    def load(checkpoint: Checkpoint, tokenizer: Path, placement: Placement) -> PmcClipTowers:
        """Raises UserError where the checkpoint is not PMC-CLIP's. Without a config.json the sizes are the published
        ones."""
        described = (checkpoint.folder / "config.json").is_file()
        config = configured(checkpoint, PmcClipConfig.of) if described else PmcClipConfig()
        model = load(partial(PmcClip, config), checkpoint, placement=placement, unused=UNUSED)
        return PmcClipTowers(model, tokenizer, placement)

    def encode_pictures(self, shown: Sequence[Picture]) -> Tensor:
        size = self.model.config.size
        seen = self.placed(np.stack([pixels(picture, size) for picture in shown]))
        return torch.as_tensor(self.model.visual(seen))

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        return self.model.text_features(self.ids(texts).to(self._placement.device))

    def lengths(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._tokenizer(list(texts), verbose=False)["input_ids"]]

    def ids(self, texts: Sequence[str]) -> Tensor:
        """Token ids (B, context): cut there, and padded to it, since padding is part of what the tower computes."""
        found = self._tokenizer(
            list(texts), truncation=True, max_length=self.text_limit, padding="max_length", return_tensors="pt"
        )
        return torch.as_tensor(found["input_ids"])

    def checks(self) -> Iterator[SelfCheck]:
        yield libraries(LIBRARIES)
        ids = self.ids(["liver"])[0]
        ends = [int(ids[0]), int(ids[ids != self._tokenizer.pad_token_id][-1]), int(ids[-1])]
        known = [self._tokenizer.cls_token_id, self._tokenizer.sep_token_id, self._tokenizer.pad_token_id]
        yield SelfCheck("tokens", ends == known == [2, 3, 0], f"first, last, padding: {ends}, expected [2, 3, 0]")
        yield from super().checks()
