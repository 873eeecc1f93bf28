"""RadFM's perceiver resampler (Alayrac et al., arXiv 2204.14198): any number of an image's tokens become 32.

Parameter names are the published checkpoint's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from m3dbench.adapters.radfm.config import VisionConfig
from m3dbench.adapters.radfm.vision import attended


class Resampling(nn.Module):
    """Latents (N, M, dim) look at an image's tokens (N, L, dim) and at themselves, in this order of keys."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        inner = config.perceiver_heads * config.perceiver_dim_head
        self.heads = config.perceiver_heads
        self.norm_media = nn.LayerNorm(config.dim, eps=config.layer_norm_eps)
        self.norm_latents = nn.LayerNorm(config.dim, eps=config.layer_norm_eps)
        self.to_q = nn.Linear(config.dim, inner, bias=False)
        self.to_kv = nn.Linear(config.dim, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, config.dim, bias=False)

    def forward(self, tokens: Tensor, latents: Tensor) -> Tensor:
        normed = self.norm_latents(latents)
        key, value = self.to_kv(torch.cat([self.norm_media(tokens), normed], dim=1)).chunk(2, dim=-1)
        out: Tensor = self.to_out(attended(self.to_q(normed), key, value, self.heads))
        return out


def feed_forward(config: VisionConfig) -> nn.Sequential:
    """A pre-norm residual branch without biases in its linear maps."""
    wide = config.dim * config.perceiver_ff_mult
    return nn.Sequential(
        nn.LayerNorm(config.dim, eps=config.layer_norm_eps),
        nn.Linear(config.dim, wide, bias=False),
        nn.GELU(),
        nn.Linear(wide, config.dim, bias=False),
    )


class Perceiver(nn.Module):
    """An image's tokens (N, L, dim) to (N, latents, dim), however many there are."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.zeros(config.perceiver_latents, config.dim))
        self.layers = nn.ModuleList(
            nn.Sequential(Resampling(config), feed_forward(config)) for _ in range(config.perceiver_depth)
        )
        self.norm = nn.LayerNorm(config.dim, eps=config.layer_norm_eps)

    def forward(self, tokens: Tensor) -> Tensor:
        latents = self.latents.expand(len(tokens), -1, -1)
        for layer in self.layers:
            resampling, forward = layer.children()
            latents = latents + resampling(tokens, latents)
            latents = latents + forward(latents)
        normed: Tensor = self.norm(latents)
        return normed
