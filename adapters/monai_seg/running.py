"""A segmentation network at work: one pass over a volume answers for all of its classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from m3dbench.adapters.checkpoints import Placement
from m3dbench.adapters.checkpoints.selfcheck import SelfCheck, body_volume, libraries
from m3dbench.adapters.monai_seg.description import Description
from m3dbench.adapters.monai_seg.volumes import seen
from m3dbench.adapters.nets.halving import out_of_memory
from m3dbench.adapters.nets.kept import Kept
from m3dbench.data.geometry import Geometry
from m3dbench.errors import UserError

LIBRARIES = {"torch": "2.4", "monai": "1.4"}
KEPT = 2
"""Volumes whose result is kept: a label map, or the probabilities of the labelled channels."""
Volume = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """labels: the winning channel of every voxel (D, H, W), where channels exclude each other. probabilities: of each
    labelled channel where they do not."""

    labels: npt.NDArray[np.int16] | None
    probabilities: dict[int, npt.NDArray[np.float32]]
    notes: tuple[str, ...]

    def mask(self, channels: Sequence[int]) -> npt.NDArray[np.bool_] | npt.NDArray[np.float32]:
        """The voxels of any of these channels, (D, H, W)."""
        if self.labels is not None:
            return np.asarray(np.isin(self.labels, channels), dtype=np.bool_)
        return np.asarray(np.maximum.reduce([self.probabilities[channel] for channel in channels]), dtype=np.float32)


class Runner:
    def __init__(self, network: nn.Module, description: Description, placement: Placement) -> None:
        self.network = network
        self._description = description
        self._placement = placement
        self._labelled = {channel for found in description.labels.values() for channel in found}
        self.results: Kept[Found] = Kept(self._found, KEPT)

    def find(self, volume: Volume, geometry: Geometry | None) -> Found:
        """What the network makes of a volume (1, D, H, W), 0..1. Raises as ``seen`` does, and whatever it raises."""
        return self.results.of(volume, geometry)

    @torch.inference_mode()
    def scores(self, image: Tensor) -> Tensor:
        """An image (1, 1, X, Y, Z) as the network takes it -> channels (1, C, X, Y, Z), float32, on the CPU."""
        from monai.inferers.utils import sliding_window_inference

        sliding = self._description.sliding
        found: Any = sliding_window_inference(
            image.to(self._placement.device, self._placement.torch_dtype),
            roi_size=sliding.size,
            sw_batch_size=sliding.batch,
            predictor=self._first,
            overlap=sliding.overlap,
            mode=sliding.mode,
        )
        logits: Tensor = found.float()
        active = logits.softmax(dim=1) if self._description.activation == "softmax" else logits.sigmoid()
        return active.cpu()

    def checks(self, file: Path) -> Iterator[SelfCheck]:
        """The start-up checks, on a made body of the window's size; tensors were checked on loading. file: of the
        description."""
        yield libraries(LIBRARIES)
        size = self._description.sliding.size
        body = torch.from_numpy(body_volume((1, *size)))[None]
        try:
            full, empty = self.scores(body), self.scores(torch.full_like(body, 0.5))
        except (RuntimeError, ValueError) as error:
            if out_of_memory(error):
                raise
            told = f"the network does not take windows of {list(size)}: {str(error).strip().splitlines()[0]}"
            fix = "give sizes that its strides divide: multiples of 32 suit most networks"
            raise UserError(told, file=file, field="sliding.size", fix=fix) from error
        last, named = full.shape[1] - 1, max(self._labelled)
        if named > last:
            told = f"the network's output channels are 0 to {last}, and the label table names {named}"
            raise UserError(told, file=file, field="labels", fix="is it the table of another network?")
        if last == 0 and self._description.activation == "softmax":
            told = "softmax of the network's single output channel is 1 everywhere"
            raise UserError(told, file=file, field="activation", fix='activation = "sigmoid"')
        sound = bool(full.isfinite().all()) and full.shape[2:] == body.shape[2:]
        yield SelfCheck("output", sound, f"{tuple(full.shape)} of {tuple(body.shape)}")
        gap = float((full - empty).abs().max())
        yield SelfCheck("image is seen", gap > 0, f"largest difference {gap:.3g}")

    def _first(self, windows: Tensor) -> Tensor:
        """Networks trained with deep supervision may give several outputs; the first is the full one."""
        out = self.network(windows)
        first: Tensor = out[0] if isinstance(out, list | tuple) else out
        return first

    @torch.inference_mode()
    def _found(self, volume: Volume, geometry: Geometry | None) -> Found:
        taken = seen(volume, geometry, self._description.input)
        channels = taken.back(self.scores(taken.image))
        if self._description.activation == "sigmoid":
            kept = {place: one.numpy().copy() for place, one in enumerate(channels) if place in self._labelled}
            return Found(None, kept, taken.notes)
        best = next(channels).clone()
        labels = torch.zeros(best.shape, dtype=torch.int16)
        for place, one in enumerate(channels, start=1):
            labels[one > best] = place
            torch.maximum(best, one, out=best)
        return Found(labels.numpy(), {}, taken.notes)
