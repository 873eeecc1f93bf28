"""SegVol's segmentation module with text prompts (arXiv 2311.13385), which M3D-LaMed contains too.

Parameter names are those of the published checkpoints; parts that a text prompt never reaches are not built
(``UNUSED``: the checkpoints hold them all the same).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from m3dbench.adapters.nets.two_way import TwoWayTransformer, position_code
from m3dbench.adapters.nets.vit3d import ViT3D, ViT3DConfig

UNUSED = (
    r"prompt_encoder\.(point_embeddings|not_a_point_embed|mask_downscaling)\..*",
    r"mask_decoder\.(output_hypernetworks_mlps\.[123]|iou_prediction_head)\..*",
)
"""Tensors of a checkpoint's segmentation module that text prompts do not use."""


@dataclass(frozen=True)
class SegVolConfig:
    """Sizes: the image encoder's (its width is the decoder's too), and the two-way transformer's."""

    encoder: ViT3DConfig = field(default_factory=lambda: ViT3DConfig(class_token=False))
    heads: int = 8
    mlp: int = 2048

    def __post_init__(self) -> None:
        if self.encoder.class_token:
            object.__setattr__(self, "encoder", replace(self.encoder, class_token=False))


class GaussianCode(nn.Module):
    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(3, width // 2))


class TextPromptEncoder(nn.Module):
    """What a text prompt leaves of the prompt encoder: the position code and the vector that stands for "no mask"."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pe_layer = GaussianCode(width)
        self.no_mask_embed = nn.Embedding(1, width)


class HypernetworkMLP(nn.Module):
    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, out)])

    def forward(self, token: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            token = functional.relu(layer(token))
        out: Tensor = self.layers[-1](token)
        return out


class MaskDecoder(nn.Module):
    """Prompt tokens and image cells to low-resolution logits, four times the encoder's grid."""

    MASKS = 4

    def __init__(self, config: SegVolConfig) -> None:
        super().__init__()
        width = config.encoder.width
        doubled = tuple(2 * size for size in config.encoder.grid)
        self.grid = config.encoder.grid
        self.transformer = TwoWayTransformer(width, config.heads, config.mlp)
        self.iou_token = nn.Embedding(1, width)
        self.mask_tokens = nn.Embedding(self.MASKS, width)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose3d(width, width // 4, kernel_size=2, stride=2),
            nn.LayerNorm((width // 4, *doubled)),
            nn.GELU(),
            nn.ConvTranspose3d(width // 4, width // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList([HypernetworkMLP(width, width // 8)])
        self.txt_align_upscaled_embedding = nn.Linear(width, width // 8)

    def forward(self, cells: Tensor, cells_code: Tensor, text: Tensor) -> Tensor:
        """cells (B, N, width), text (B, width) -> (B, 1, 4d, 4h, 4w)."""
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight]).expand(len(text), -1, -1)
        tokens = torch.cat([own, text[:, None]], dim=1)
        tokens, cells = self.transformer(tokens, cells, cells_code)
        upscaled = self.output_upscaling(cells.transpose(1, 2).reshape(len(cells), -1, *self.grid))
        weights = self.output_hypernetworks_mlps[0](tokens[:, 1]) + self.txt_align_upscaled_embedding(text)
        return torch.einsum("bc,bcdhw->bdhw", weights, upscaled)[:, None]


class SegVol(nn.Module):
    """``encode`` a volume once, ``decode`` it for every text vector."""

    def __init__(self, config: SegVolConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = ViT3D(config.encoder)
        self.prompt_encoder = TextPromptEncoder(config.encoder.width)
        self.mask_decoder = MaskDecoder(config)

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, 1, D, H, W), 0..1 -> cells (B, N, width)."""
        cells: Tensor = self.image_encoder(images)
        return cells

    def decode(self, cells: Tensor, text: Tensor) -> Tensor:
        """cells (B, N, width), text vectors (B, width) -> logits (B, 1, D, H, W); mask = logits > 0."""
        gaussian = self.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
        code = position_code(self.config.encoder.grid, gaussian)
        low = self.mask_decoder(cells + self.prompt_encoder.no_mask_embed.weight, code, text)
        return functional.interpolate(low, size=self.config.encoder.image_size, mode="trilinear", align_corners=False)
