"""A CLIP or SigLIP of transformers: pictures and reports as its own processors prepare them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from m3dbench.adapters.checkpoints import Checkpoint, Placement
from m3dbench.adapters.checkpoints.pretrained import pretrained, processor
from m3dbench.adapters.checkpoints.selfcheck import SelfCheck, libraries
from m3dbench.adapters.checkpoints.tokenizer import load_tokenizer
from m3dbench.adapters.slices.towers import Towers
from m3dbench.data.slices import Picture
from m3dbench.errors import UserError

NEEDED = {"torch": "2.4", "transformers": "4.45"}


class HuggingFaceTowers(Towers):
    """A model with ``get_image_features`` and ``get_text_features``."""

    def __init__(self, model: Any, pictures: Any, tokenizer: Any, placement: Placement) -> None:
        super().__init__(placement)
        self._model = model
        self._pictures = pictures
        self._tokenizer = tokenizer
        text = model.config.text_config
        self.text_limit = min(text.max_position_embeddings, tokenizer.model_max_length)
        # SigLIP was trained on texts padded to the full length, without a mask
        self._padded = model.config.model_type.startswith("siglip")

    @staticmethod
    def load(checkpoint: Checkpoint, placement: Placement) -> HuggingFaceTowers:
        """Raises UserError where the checkpoint has not two towers that transformers knows."""
        from transformers import AutoImageProcessor, AutoModel

        model = pretrained(AutoModel, checkpoint, placement)
        if not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
            raise UserError(
                f"{type(model).__name__} has no image and text tower with one space",
                file=checkpoint.path,
                fix="give a CLIP or SigLIP checkpoint",
            )
        pictures = processor(AutoImageProcessor, checkpoint)
        return HuggingFaceTowers(model, pictures, load_tokenizer(checkpoint.tokenizer_folder()), placement)

    def encode_pictures(self, shown: Sequence[Picture]) -> Tensor:
        from PIL import Image

        images = [Image.fromarray(picture).convert("RGB") for picture in shown]
        return _vectors(
            self._model.get_image_features(
                pixel_values=self.placed(self._pictures(images, return_tensors="pt")["pixel_values"])
            )
        )

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        padding = "max_length" if self._padded else True
        found = self._tokenizer(
            list(texts), truncation=True, max_length=self.text_limit, padding=padding, return_tensors="pt"
        ).to(self._placement.device)
        mask = {} if self._padded else {"attention_mask": found["attention_mask"]}
        return _vectors(self._model.get_text_features(input_ids=found["input_ids"], **mask))

    def lengths(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._tokenizer(list(texts), verbose=False)["input_ids"]]

    def checks(self) -> Iterator[SelfCheck]:
        yield libraries(NEEDED)
        yield from super().checks()


def _vectors(found: Any) -> Tensor:
    """The features; transformers 5 hands them out in an object."""
    return found if isinstance(found, torch.Tensor) else torch.as_tensor(found.pooler_output)
