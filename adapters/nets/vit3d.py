"""The 3D vision transformer of M3D-CLIP, M3D-LaMed and SegVol.

Architecture: Dosovitskiy et al., arXiv 2010.11929, on volumes as in M3D (arXiv 2404.00578, section 4.1).
Parameter names are those of the published checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-5


@dataclass(frozen=True)
class ViT3DConfig:
    """Sizes of a tower. image_size and patch_size are (D, H, W) in voxels; patches tile the image."""

    image_size: tuple[int, int, int] = (32, 256, 256)
    patch_size: tuple[int, int, int] = (4, 16, 16)
    channels: int = 1
    width: int = 768
    mlp: int = 3072
    depth: int = 12
    heads: int = 12
    class_token: bool = True

    def __post_init__(self) -> None:
        sizes = (*self.image_size, self.width), (*self.patch_size, self.heads)
        if len(sizes[0]) != 4 or len(sizes[1]) != 4 or any(size % part for size, part in zip(*sizes, strict=True)):
            raise ValueError(
                f"an image of {self.image_size} voxels is not tiled by patches of {self.patch_size}, "
                f"or a width of {self.width} not by {self.heads} heads"
            )

    @property
    def grid(self) -> tuple[int, int, int]:
        """Patches along (D, H, W)."""
        depth, height, width = (size // patch for size, patch in zip(self.image_size, self.patch_size, strict=True))
        return depth, height, width


class Patches(nn.Module):
    """(B, C, D, H, W) to flat patches (B, N, pd*ph*pw*C): D slowest, then H, then W; in a patch the channel fastest."""

    def __init__(self, size: tuple[int, int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        batch, channels, depth, height, width = images.shape
        d, h, w = self.size
        cut = images.reshape(batch, channels, depth // d, d, height // h, h, width // w, w)
        return cut.permute(0, 2, 4, 6, 3, 5, 7, 1).reshape(batch, -1, d * h * w * channels)


class PatchEmbedding(nn.Module):
    """Linear embedding of patches plus learned positions; (B, C, D, H, W) -> (B, N, width)."""

    def __init__(self, config: ViT3DConfig) -> None:
        super().__init__()
        values = prod(config.patch_size) * config.channels
        self.patch_embeddings = nn.Sequential(Patches(config.patch_size), nn.Linear(values, config.width))
        self.position_embeddings = nn.Parameter(torch.zeros(1, prod(config.grid), config.width))

    def forward(self, images: Tensor) -> Tensor:
        embedded: Tensor = self.patch_embeddings(images)
        return embedded + self.position_embeddings


class SelfAttention(nn.Module):
    """Multi-head self-attention; the fused projection has no bias and its rows are q, then k, then v."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        fused = self.qkv(tokens).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = fused.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.out_proj(mixed.transpose(1, 2).reshape(batch, count, width))
        return projected


class FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.linear2(functional.gelu(self.linear1(tokens)))
        return out


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, config: ViT3DConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=EPSILON)
        self.attn = SelfAttention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width, eps=EPSILON)
        self.mlp = FeedForward(config.width, config.mlp)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        mixed: Tensor = tokens + self.mlp(self.norm2(tokens))
        return mixed


class ViT3D(nn.Module):
    """Images (B, C, D, H, W), 0..1, to tokens (B, N, width), or (B, 1 + N, width) with the class token first."""

    def __init__(self, config: ViT3DConfig) -> None:
        super().__init__()
        self.config = config
        if config.class_token:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.patch_embedding = PatchEmbedding(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=EPSILON)

    def hidden(self, images: Tensor) -> Tensor:
        """The last block's output, before the final norm."""
        if images.shape[1:] != (self.config.channels, *self.config.image_size):
            expected = (self.config.channels, *self.config.image_size)
            raise ValueError(f"images of shape {tuple(images.shape)}, expected (B, C, D, H, W) with {expected}")
        tokens: Tensor = self.patch_embedding(images)
        if self.config.class_token:
            tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens

    def forward(self, images: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.hidden(images))
        return normed
