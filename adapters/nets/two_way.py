"""The two-way transformer between prompt tokens and image cells (SAM, arXiv 2304.02643, appendix A)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Attention with separate projections; the inner width is width // downsample. Tensors are (B, N, width)."""

    def __init__(self, width: int, heads: int, downsample: int = 1) -> None:
        super().__init__()
        self.heads = heads
        inner = width // downsample
        self.q_proj = nn.Linear(width, inner)
        self.k_proj = nn.Linear(width, inner)
        self.v_proj = nn.Linear(width, inner)
        self.out_proj = nn.Linear(inner, width)

    def _split(self, tokens: Tensor) -> Tensor:
        batch, count, inner = tokens.shape
        return tokens.view(batch, count, self.heads, inner // self.heads).transpose(1, 2)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        query, key, value = (
            self._split(self.q_proj(query)),
            self._split(self.k_proj(key)),
            self._split(self.v_proj(value)),
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return projected


class ReluFeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.lin2(functional.relu(self.lin1(tokens)))
        return out


class Layer(nn.Module):
    """One round of attention: among the tokens, tokens to image, image to tokens."""

    def __init__(self, width: int, heads: int, mlp: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = Attention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attn_token_to_image = Attention(width, heads, downsample=2)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = ReluFeedForward(width, mlp)
        self.norm3 = nn.LayerNorm(width)
        self.norm4 = nn.LayerNorm(width)
        self.cross_attn_image_to_token = Attention(width, heads, downsample=2)

    def forward(self, tokens: Tensor, cells: Tensor, tokens_code: Tensor, cells_code: Tensor) -> tuple[Tensor, Tensor]:
        if self.first:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            coded = tokens + tokens_code
            tokens = tokens + self.self_attn(coded, coded, tokens)
        tokens = self.norm1(tokens)
        coded_cells = cells + cells_code
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + tokens_code, coded_cells, cells))
        tokens = self.norm3(tokens + self.mlp(tokens))
        cells = self.norm4(cells + self.cross_attn_image_to_token(coded_cells, tokens + tokens_code, tokens))
        return tokens, cells


class TwoWayTransformer(nn.Module):
    """tokens (B, T, width) and cells (B, N, width) with the cells' position code (1, N, width) -> both, processed."""

    def __init__(self, width: int, heads: int, mlp: int, depth: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(width, heads, mlp, first=index == 0) for index in range(depth))
        self.final_attn_token_to_image = Attention(width, heads, downsample=2)
        self.norm_final_attn = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, cells: Tensor, cells_code: Tensor) -> tuple[Tensor, Tensor]:
        tokens_code = tokens
        for layer in self.layers:
            tokens, cells = layer(tokens, cells, tokens_code, cells_code)
        attended = self.final_attn_token_to_image(tokens + tokens_code, cells + cells_code, cells)
        normed: Tensor = self.norm_final_attn(tokens + attended)
        return normed, cells


def position_code(grid: tuple[int, int, int], gaussian: Tensor) -> Tensor:
    """Random Fourier code (1, N, width) of the cells of a (D, H, W) grid, from the matrix (3, width / 2).

    The published models give the matrix's first row to H and the second to D; W has the third.
    """
    axes = [(torch.arange(size, device=gaussian.device, dtype=gaussian.dtype) + 0.5) / size for size in grid]
    depth, height, width = torch.meshgrid(*axes, indexing="ij")
    places = 2 * torch.stack([height, depth, width], dim=-1) - 1
    phase = 2 * torch.pi * (places @ gaussian)
    return torch.cat([phase.sin(), phase.cos()], dim=-1).flatten(0, 2)[None]
