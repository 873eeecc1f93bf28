"""The image tower: CLIP's modified ResNet with a three-convolution stem, blurred strides and attention pooling.

Source: the description of WeixiongLin/PMC-CLIP at b0b81e3 in words and sizes; parameter names are its checkpoint's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1. A stride is an average pool before the last convolution, never a strided convolution."""

    def __init__(self, inputs: int, planes: int, stride: int, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * EXPANSION, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * EXPANSION)
        self.stride = stride
        self.downsample: nn.Module | None = None
        if shortcut:
            conv = nn.Conv2d(inputs, planes * EXPANSION, 1, bias=False)
            self.downsample = nn.Sequential(OrderedDict([("0", conv), ("1", nn.BatchNorm2d(planes * EXPANSION))]))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(self._pooled(y)))
        kept = x if self.downsample is None else self.downsample(self._pooled(x))
        return functional.relu(y + kept)

    def _pooled(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, self.stride) if self.stride > 1 else x


class AttentionPool(nn.Module):
    """(B, width, side, side) -> (B, output): the mean token attends to itself and every place."""

    def __init__(self, side: int, width: int, heads: int, output: int) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.empty(side * side + 1, width))
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.c_proj = nn.Linear(width, output)
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1) + self.positional_embedding
        query, key, value = (
            project(part).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project, part in ((self.q_proj, tokens[:, :1]), (self.k_proj, tokens), (self.v_proj, tokens))
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        pooled: Tensor = self.c_proj(mixed.transpose(1, 2).flatten(2)[:, 0])
        return pooled


class ModifiedResNet(nn.Module):
    """Normalised pictures (B, 3, size, size) -> (B, output)."""

    def __init__(self, layers: Sequence[int], width: int, heads: int, output: int, size: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        inputs = width
        for number, blocks in enumerate(layers):
            planes = width << number
            made = []
            for place in range(blocks):
                made.append(Bottleneck(inputs, planes, 2 if place == 0 and number else 1, shortcut=place == 0))
                inputs = planes * EXPANSION
            self.add_module(f"layer{number + 1}", nn.Sequential(*made))
        self.depth = len(layers)
        self.attnpool = AttentionPool(size >> (self.depth + 1), inputs, heads, output)

    def stages(self, images: Tensor) -> list[Tensor]:
        """What the stem and each layer give, (B, C, H, W)."""
        x = images
        for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = functional.relu(norm(conv(x)))
        found = [functional.avg_pool2d(x, 2)]
        for number in range(self.depth):
            found.append(self.get_submodule(f"layer{number + 1}")(found[-1]))
        return found

    def forward(self, images: Tensor) -> Tensor:
        pooled: Tensor = self.attnpool(self.stages(images)[-1])
        return pooled
