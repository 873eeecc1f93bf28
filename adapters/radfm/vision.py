"""RadFM's 3D vision transformer (arXiv 2308.02463).

Images are (N, C, H, W, D), slices last, as the model was trained. Parameter names are the published checkpoint's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from m3dbench.adapters.nets.vit3d import Patches
from m3dbench.adapters.radfm.config import VisionConfig


def heads_of(tokens: Tensor, heads: int) -> Tensor:
    """(N, L, heads * width) -> (N, heads, L, width)."""
    count, length, inner = tokens.shape
    return tokens.view(count, length, heads, inner // heads).transpose(1, 2)


def attended(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Multi-head attention of (N, L, inner) to (N, M, inner), heads side by side again: (N, L, inner)."""
    query, key, value = (heads_of(part, heads) for part in (query, key, value))
    return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


class Branch(nn.Module):
    """A pre-norm residual branch."""

    def __init__(self, config: VisionConfig, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.dim, eps=config.layer_norm_eps)
        self.fn = fn

    def forward(self, tokens: Tensor) -> Tensor:
        added: Tensor = tokens + self.fn(self.norm(tokens))
        return added


class SelfAttention(nn.Module):
    """Heads whose width does not follow from the tokens'; the fused projection's rows are q, then k, then v."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        inner = config.heads * config.dim_head
        self.heads = config.heads
        self.to_qkv = nn.Linear(config.dim, 3 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, config.dim))

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.to_qkv(tokens).chunk(3, dim=-1)
        out: Tensor = self.to_out(attended(query, key, value, self.heads))
        return out


class FeedForward(nn.Module):
    """The dropout of training stands in the numbering of the layers."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        wide = nn.Linear(config.dim, config.mlp_dim)
        self.net = nn.Sequential(wide, nn.GELU(), nn.Dropout(0.1), nn.Linear(config.mlp_dim, config.dim))

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.net(tokens)
        return out


class Transformer(nn.Module):
    """Pre-norm blocks, without a final norm."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(Branch(config, SelfAttention(config)), Branch(config, FeedForward(config)))
            for _ in range(config.depth)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens


def spread(count: int, entries: int) -> Tensor:
    """Which of the ``entries`` learned along an axis each of ``count`` patches reads: the last of its equal share."""
    return (torch.arange(count) + 1) * (entries // count) - 1


class Positions(nn.Module):
    """Learned positions of patches: a row's, a column's and a slice's vector side by side."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.row_embed = nn.Embedding(config.position_rows, config.position_dim)
        self.col_embed = nn.Embedding(config.position_cols, config.position_dim)
        self.dep_embed = nn.Embedding(config.position_depths, config.position_dim)

    def forward(self, grid: tuple[int, int, int]) -> Tensor:
        """(rows * columns * depths, dim) of a grid of patches, depth fastest."""
        parts = []
        for axis, learned in enumerate((self.row_embed, self.col_embed, self.dep_embed)):
            along = [1, 1, 1, -1]
            along[axis] = grid[axis]
            read = learned.weight[spread(grid[axis], learned.num_embeddings).to(learned.weight.device)]
            parts.append(read.view(along).expand(*grid, -1))
        return torch.cat(parts, dim=-1).flatten(0, 2)


class VisionEncoder(nn.Module):
    """Images (N, C, H, W, D), 0..1, of any size that patches tile, to tokens (N, patches, dim)."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        size = (config.patch_size, config.patch_size, config.frame_patch_size)
        values = size[0] * size[1] * size[2] * config.channels
        self.to_patch_embedding = nn.Sequential(
            Patches(size),
            nn.LayerNorm(values, eps=config.layer_norm_eps),
            nn.Linear(values, config.dim),
            nn.LayerNorm(config.dim, eps=config.layer_norm_eps),
        )
        self.pos_embedding = Positions(config)
        self.transformer = Transformer(config)

    def forward(self, images: Tensor) -> Tensor:
        positions = self.pos_embedding(self._grid(images))
        tokens: Tensor = self.transformer(self.to_patch_embedding(images) + positions)
        return tokens

    def _grid(self, images: Tensor) -> tuple[int, int, int]:
        config = self.config
        channels, height, width, depth = images.shape[1:]
        fits = height % config.patch_size == width % config.patch_size == depth % config.frame_patch_size == 0
        if not fits or max(height, width) > config.image_size or depth > config.frames or channels != config.channels:
            most, step = (config.image_size, config.image_size, config.frames), (config.patch_size,) * 2
            raise ValueError(
                f"images of shape {tuple(images.shape)}, expected (N, {config.channels}, H, W, D) with H, W, D at most "
                f"{most} and multiples of {(*step, config.frame_patch_size)}"
            )
        return height // config.patch_size, width // config.patch_size, depth // config.frame_patch_size
