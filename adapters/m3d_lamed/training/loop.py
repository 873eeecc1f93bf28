"""One stage of training: seeded batches, a schedule over steps or time, losses in the log, and resuming."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from m3dbench.data.seeds import generator

log = logging.getLogger("m3dbench.train_tiny")
_WARM_UP = 0.03
_LAST = 0.03
_SAVE_SECONDS = 120.0
_LOG_STEPS = 100


@dataclass(frozen=True)
class Budget:
    """How long a stage trains: a number of steps, or seconds (then the schedule follows the clock)."""

    steps: int | None = None
    seconds: float | None = None

    def progress(self, step: int, elapsed: float) -> float:
        """0 at the start, 1 at the end."""
        return step / max(self.steps, 1) if self.steps is not None else elapsed / max(self.seconds or 0.0, 1e-9)


class Stage(ABC):
    """Something to learn. ``module`` holds every tensor that has to survive an interruption."""

    name: ClassVar[str]
    shares: ClassVar[Mapping[str, float]] = {}
    """Weights of the losses; 1 where none is given."""
    module: nn.Module
    progress: float = 0.0
    """0 at the start of the stage's training, 1 at its end."""

    @abstractmethod
    def optimisers(self) -> Sequence[torch.optim.Optimizer]:
        """Built once; their learning rates are the highest of the schedule."""

    @abstractmethod
    def losses(self, draws: np.random.Generator) -> dict[str, Tensor]:
        """The losses of one batch, drawn with ``draws``, which depends on seed and step alone."""


def train(stage: Stage, budget: Budget, directory: Path, seed: int) -> None:
    """Train a stage to the end of its budget, going on from what ``directory`` holds of it."""
    path = directory / f"{stage.name}.pt"
    optimisers = list(stage.optimisers())
    highest = [[group["lr"] for group in optimiser.param_groups] for optimiser in optimisers]
    step, elapsed = 0, 0.0
    if path.exists():
        kept = torch.load(path, weights_only=True)
        stage.module.load_state_dict(kept["module"])
        for optimiser, state in zip(optimisers, kept["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        step, elapsed = kept["step"], kept["elapsed"]
        log.info("%s: going on at step %d", stage.name, step)

    def keep() -> None:
        content = {
            "module": stage.module.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in optimisers],
            "step": step,
            "elapsed": elapsed,
        }
        scratch = path.with_suffix(".part")
        torch.save(content, scratch)
        scratch.replace(path)

    stage.module.train()
    sums: dict[str, list[float]] = {}
    started, saved = time.monotonic() - elapsed, time.monotonic()
    while (progress := budget.progress(step, elapsed)) < 1:
        factor = min(1.0, progress / _WARM_UP + 0.01) * (_LAST + (1 - _LAST) * 0.5 * (1 + cos(pi * progress)))
        for optimiser, rates in zip(optimisers, highest, strict=True):
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * factor
        # Everything random in a step follows from its number: an interrupted training goes on as if it had not been.
        torch.manual_seed(int(generator(seed, stage.name, "torch", str(step)).integers(2**31)))
        stage.progress = progress
        losses = stage.losses(generator(seed, stage.name, str(step)))
        total = sum((stage.shares.get(name, 1.0) * value for name, value in losses.items()), torch.zeros(()))
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(stage.module.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
        step += 1
        elapsed = time.monotonic() - started
        for name, value in losses.items():
            sums.setdefault(name, []).append(float(value.detach()))
        if step % _LOG_STEPS == 0:
            told = " ".join(f"{name} {np.mean(values):.4f}" for name, values in sums.items())
            log.info("%s step %d %.0f s: %s", stage.name, step, elapsed, told)
            sums = {}
        if time.monotonic() - saved > _SAVE_SECONDS:
            keep()
            saved = time.monotonic()
    keep()
    stage.module.eval()
    log.info("%s: %d steps in %.0f s", stage.name, step, elapsed)
