"""A small network of MONAI's with its description, and what is asked of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from m3dbench import registry
from m3dbench.adapter import Context, Query
from m3dbench.adapters.monai_seg.adapter import MonaiSeg
from m3dbench.data.geometry import Geometry
from m3dbench.data.sample import Request

SIZE = (24, 24, 12)
CLASSES = ("liver", "kidney", "spleen", "pancreas")
ARGUMENTS: dict[str, Any] = {
    "init_filters": 8,
    "in_channels": 1,
    "out_channels": 5,
    "blocks_down": [1, 1],
    "blocks_up": [1],
    "norm": ["GROUP", {"num_groups": 4}],
}
TOML = """
[network]
class = "SegResNet"
arguments = { init_filters = 8, in_channels = 1, out_channels = 5, blocks_down = [1, 1], blocks_up = [1], norm = ["GROUP", { num_groups = 4 }] }

[weights]
file = "model.pt"

[labels]
liver = 1
kidney = 2
spleen = 3
pancreas = 4

[input]
orientation = "RAS"
size = [24, 24, 12]

[sliding]
size = [24, 24, 12]
"""
GEOMETRY = Geometry(
    native_shape=(4, 6, 5),
    native_affine=((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0)),
    native_axes="RAS",
    orientation=((0, False), (1, False), (2, False)),
    crop=((0, 4), (0, 6), (0, 5)),
    grid=(4, 6, 5),
    spacing_mm=(6.0, 3.0, 2.0),
    hu_window=(-100.0, 300.0),
)


def volume(grid: tuple[int, int, int] = (4, 6, 5)) -> np.ndarray:
    return np.random.default_rng(0).random((1, *grid), dtype=np.float32)


def segresnet() -> Any:
    """The network of ``TOML``, its weights random."""
    from monai.networks.nets import SegResNet

    torch.manual_seed(0)
    return SegResNet(**ARGUMENTS)


def write_described(network: Any, folder: Path) -> Path:
    """A folder with the network's weights and their description, ``net.toml``."""
    torch.save(network.state_dict(), folder / "model.pt")
    (folder / "net.toml").write_text(TOML)
    return folder


def made(config: Path, **options: Any) -> MonaiSeg:
    adapter: MonaiSeg = registry.create("adapters", "monai-seg", {"config": str(config), **options})
    adapter.prepare(Context("task", "mask", 0, train=lambda: iter(())))
    return adapter


def query(request: Request, shown: np.ndarray, geometry: Geometry | None = None) -> Query:
    depth, height, width = shown.shape[-3:]
    return Query("a", "case", request, lambda: shown, lambda: (depth, height, width), lambda: geometry)
