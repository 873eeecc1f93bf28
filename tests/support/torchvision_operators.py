"""Imported before torchvision: its wheels at PyPI are built for another torch than the CPU build that the tests have, and
their compiled operators do not load. Pictures need none of them, so the two that its import insists on are declared here.
"""

from __future__ import annotations

import torch

OPERATORS = torch.library.Library("torchvision", "DEF")
for operator in ("nms", "qnms"):
    OPERATORS.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
