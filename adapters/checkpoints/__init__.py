"""Weights of published models: found or downloaded, placed, loaded in little memory, and checked at start-up.

An adapter with weights calls ``Checkpoint.find`` with its ``WeightSource``, ``Placement.of`` with the user's options
and ``load`` with its network's class; see ``docs/weights.md``. torch is imported with ``load``, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.digest import weights_digest
from m3dbench.adapters.checkpoints.placement import Placement
from m3dbench.adapters.checkpoints.selfcheck import SelfCheck, insist
from m3dbench.adapters.checkpoints.source import WeightSource, locate

if TYPE_CHECKING:
    from m3dbench.adapters.checkpoints.loading import load

__all__ = ["Checkpoint", "Placement", "SelfCheck", "WeightSource", "insist", "load", "locate", "weights_digest"]


def __getattr__(name: str) -> Any:
    if name == "load":
        from m3dbench.adapters.checkpoints.loading import load

        return load
    raise AttributeError(name)
