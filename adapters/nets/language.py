"""Language models that are given embeddings: batches whose members do not change each other, and greedy answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def left_padded(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Embeddings (L_i, hidden) as one batch (B, L, hidden), zeros on the left, and its attention mask (B, L)."""
    longest = max(len(row) for row in rows)
    embedded = torch.stack([functional.pad(row, (0, 0, longest - len(row), 0)) for row in rows])
    mask = torch.zeros(embedded.shape[:2], dtype=torch.long, device=embedded.device)
    for index, row in enumerate(rows):
        mask[index, longest - len(row) :] = 1
    return embedded, mask


def states(language: Any, embedded: Tensor, mask: Tensor) -> Tensor:
    """Final-normed states (B, L, hidden) of a left-padded batch."""
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    found: Tensor = language.model(
        inputs_embeds=embedded, attention_mask=mask, position_ids=positions
    ).last_hidden_state
    return found


def greedy(language: nn.Module, embedded: Tensor, mask: Tensor, max_new_tokens: int, ends: Sequence[int]) -> Tensor:
    """New token ids (B, N) of a left-padded batch, the first of ``ends`` after a row's own end."""
    causal: Any = language
    found: Tensor = causal.generate(
        inputs_embeds=embedded,
        attention_mask=mask,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        pad_token_id=ends[0],
        eos_token_id=list(ends),
        use_cache=True,
    )
    return found


def length(ids: Sequence[int], ends: Sequence[int]) -> int:
    """How many ids stand before the first end token."""
    return next((step for step, token in enumerate(ids) if token in ends), len(ids))
