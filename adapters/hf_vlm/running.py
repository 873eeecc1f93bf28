"""A vision language model at work: conversations of pictures and text in, greedy answers out, in batches that fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from m3dbench.adapters.checkpoints import Checkpoint, Placement
from m3dbench.adapters.checkpoints.pretrained import pretrained, processor
from m3dbench.adapters.checkpoints.selfcheck import SelfCheck, body_volume, libraries, repeats
from m3dbench.adapters.checkpoints.tokenizer import quiet
from m3dbench.adapters.nets.halving import Halving
from m3dbench.data.slices import Picture
from m3dbench.errors import UserError

NEEDED = {"torch": "2.4", "transformers": "4.49"}
Asked = tuple[Sequence[Picture], str]
"""Grey pictures, and the text of one user turn about them."""


@dataclass(frozen=True)
class Spoken:
    """text: without special tokens. prompt_ids: what the model was given, padding left out. cut: it had not ended."""

    text: str
    prompt_ids: tuple[int, ...]
    cut: bool


class Runner:
    """A loaded model with its processor."""

    def __init__(self, model: Any, processor: Any, placement: Placement, checkpoint: Checkpoint) -> None:
        self._model = model
        self._processor = processor
        self._tokenizer = getattr(processor, "tokenizer", processor)
        self._placement = placement
        self.halving = Halving()
        if not any(getattr(one, "chat_template", None) for one in (processor, self._tokenizer)):
            raise UserError(
                "the processor has no chat template",
                file=checkpoint.path,
                fix="choose an instruction model, or put its chat_template.jinja into the folder",
            )
        self._tokenizer.padding_side = "left"
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        ends = model.generation_config.eos_token_id
        self._ends = {self._tokenizer.eos_token_id, *([ends] if isinstance(ends, int) else ends or ())}

    @staticmethod
    def load(checkpoint: Checkpoint, placement: Placement, *, trust: bool) -> Runner:
        """Raises UserError where the folder is no image-text-to-text model that transformers knows."""
        from transformers import AutoModelForImageTextToText, AutoProcessor

        reader = processor(AutoProcessor, checkpoint, trust=trust)
        model = pretrained(AutoModelForImageTextToText, checkpoint, placement, trust=trust)
        return Runner(model, reader, placement, checkpoint)

    def answer(self, asked: Sequence[Asked], max_new_tokens: int) -> list[Spoken]:
        """One greedy answer each. Raises UserError for a prompt that leaves no room for an answer."""
        return self.halving.run(partial(self._answer, max_new_tokens=max_new_tokens), asked)

    def checks(self, *, sees: bool) -> Iterator[SelfCheck]:
        """The start-up checks. sees: the model is shown pictures."""
        yield libraries(NEEDED)
        body = np.rint(body_volume((1, 3, 96, 96))[0, 1] * 255).astype(np.uint8)
        shown = [body] if sees else []
        if sees:
            flat, full = (self._next([([picture], "What is this?")]) for picture in (np.full_like(body, 127), body))
            gap = float((flat - full).abs().max())
            yield SelfCheck("image is seen", bool(np.isfinite(gap)) and gap > 0, f"largest difference {gap:.3g}")
        yield repeats(lambda: self.answer([(shown, "What is this?")], 8))

    @torch.inference_mode()
    def _answer(self, asked: Sequence[Asked], *, max_new_tokens: int) -> list[Spoken]:
        fed = self._fed(asked)
        sizes = fed["attention_mask"].sum(dim=1).tolist()
        room = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        if room is not None and max(sizes) + max_new_tokens > room:
            raise UserError(
                f"the prompt has {max(sizes)} tokens, and the model takes {room} with the answer's {max_new_tokens}",
                fix="show fewer or smaller slices, or a montage",
            )
        greedy: dict[str, Any] = {"do_sample": False, "num_beams": 1, "temperature": None, "top_p": None, "top_k": None}
        with quiet():
            made = self._model.generate(
                **fed, **greedy, max_new_tokens=max_new_tokens, pad_token_id=self._tokenizer.pad_token_id
            )
        spoken = []
        for ids, mask, row in zip(fed["input_ids"], fed["attention_mask"], made, strict=True):
            new = row[len(ids) :].tolist()
            end = next((place for place, token in enumerate(new) if token in self._ends), None)
            text = self._tokenizer.decode(new[:end], skip_special_tokens=True).strip()
            spoken.append(Spoken(text, tuple(ids[mask.bool()].tolist()), end is None))
        return spoken

    @torch.inference_mode()
    def _next(self, asked: Sequence[Asked]) -> torch.Tensor:
        """(B, words): what the model would say first."""
        logits: torch.Tensor = self._model(**self._fed(asked)).logits[:, -1]
        return logits.float()

    def _fed(self, asked: Sequence[Asked]) -> Any:
        """The model's inputs: prompts padded on the left, pictures as the processor wants them."""
        from PIL import Image

        prompts = []
        for shown, text in asked:
            content = [*({"type": "image"} for _ in shown), {"type": "text", "text": text}]
            turn = [{"role": "user", "content": content}]
            prompts.append(self._processor.apply_chat_template(turn, tokenize=False, add_generation_prompt=True))
        images = [[Image.fromarray(picture).convert("RGB") for picture in shown] for shown, _ in asked]
        given: dict[str, Any] = {"images": images} if any(images) else {}
        start = self._tokenizer.bos_token
        if start and prompts[0].startswith(start):
            given["add_special_tokens"] = False
        fed = self._processor(text=prompts, **given, padding=True, return_tensors="pt")
        return fed.to(self._placement.device, self._placement.torch_dtype)
