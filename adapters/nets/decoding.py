"""Greedy decoding of language models on embeddings, in batches whose members do not change each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def left_padded(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Embeddings (L_i, hidden) as a batch (B, L, hidden), zeros in front, with its attention mask (B, L)."""
    longest = max(len(row) for row in rows)
    embedded = torch.stack([functional.pad(row, (0, 0, longest - len(row), 0)) for row in rows])
    mask = torch.zeros(embedded.shape[:2], dtype=torch.long, device=embedded.device)
    for index, row in enumerate(rows):
        mask[index, longest - len(row) :] = 1
    return embedded, mask


def states(language: Any, embedded: Tensor, mask: Tensor) -> Tensor:
    """Final-normed states (B, L, hidden) of a left-padded batch in a causal model of transformers."""
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    out: Tensor = language.model(inputs_embeds=embedded, attention_mask=mask, position_ids=positions).last_hidden_state
    return out


@torch.inference_mode()
def greedy(
    language: Any, embedded: Tensor, mask: Tensor, *, max_new_tokens: int, ends: Sequence[int]
) -> list[list[int]]:
    """New token ids of each row of a left-padded batch; a row that said one of ``ends`` is filled with the first."""
    ids = language.generate(
        inputs_embeds=embedded,
        attention_mask=mask,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        pad_token_id=ends[0],
        eos_token_id=list(ends),
        use_cache=True,
    )
    found: list[list[int]] = ids.tolist()
    return found


def until(ids: Sequence[int], ends: Collection[int]) -> tuple[int, ...]:
    """The ids before the first of ``ends``."""
    length = next((step for step, token in enumerate(ids) if token in ends), len(ids))
    return tuple(ids[:length])
