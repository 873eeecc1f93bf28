"""Muon for weight matrices (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) and AdamW for the rest.

Muon needs about half of AdamW's steps here. torch's own works in bfloat16, for which older CPUs have no instructions.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Muon(torch.optim.Optimizer):
    """Momentum whose update of each matrix is made orthogonal. lr: the update's root mean square, as in AdamW."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.01
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonal(parameter.grad.lerp(state["momentum"], group["momentum"]))
                parameter.mul_(1 - group["lr"] * group["decay"])
                parameter.add_(update, alpha=-group["lr"] * max(parameter.shape) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearly orthogonal matrix (n, m) closest to ``matrix``, by five Newton-Schulz steps."""
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if tall else x


def optimisers(module: nn.Module, lr: float, plain: Iterable[str] = ()) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of a module, AdamW for vectors, embeddings and the modules named in ``plain``."""
    embeddings = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        special = parameter.ndim != 2 or id(parameter) in embeddings or any(name.startswith(word) for word in plain)
        (others if special else matrices).append(parameter)
    chosen: list[torch.optim.Optimizer] = [torch.optim.AdamW(others, lr, betas=(0.9, 0.98), weight_decay=0.01)]
    if matrices:
        chosen.append(Muon(matrices, lr))
    return chosen
