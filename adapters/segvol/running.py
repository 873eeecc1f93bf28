"""SegVol at work: a volume's whole view is encoded once, then decoded and looked into for every text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from m3dbench.adapters.checkpoints import Checkpoint, Placement, load
from m3dbench.adapters.checkpoints.selfcheck import SelfCheck, body_volume, images, libraries, sees
from m3dbench.adapters.nets.grids import Grid, image_of
from m3dbench.adapters.nets.kept import Kept
from m3dbench.adapters.nets.segvol import UNUSED
from m3dbench.adapters.segvol.config import TextSegVolConfig
from m3dbench.adapters.segvol.model import TextSegVol, rename
from m3dbench.adapters.segvol.texts import PHRASE, PromptTokens
from m3dbench.adapters.segvol.zoom import (
    Region,
    bounds,
    foreground,
    normalised,
    region,
    slide,
    whole_logits,
    whole_view,
)

LIBRARIES = {"torch": "2.4", "transformers": "4.45"}
Volume = npt.NDArray[np.float32]
KEPT = 16
"""Views and windows whose cells are kept: about 6 MB each in fp32."""


@dataclass(frozen=True)
class Look:
    """What two looks found of one text. ``first``, ``second``, ``final`` are logits (1, 1, D, H, W): of the view, of
    the region's windows, and of the whole scan. region, second: None where the first look found nothing, or was all.
    """

    first: Tensor
    region: Region | None
    second: Tensor | None
    final: Tensor


class Runner:
    """A loaded model. clip: volumes are normalised as SegVol's own preparation does."""

    def __init__(self, model: TextSegVol, tokens: PromptTokens, placement: Placement, *, clip: bool = False) -> None:
        self.model = model
        self.tokens = tokens
        self.grid: Grid = model.config.encoder.image_size
        self._clip = clip
        self._placement = placement
        self.views: Kept[Tensor] = Kept(self._cells, KEPT)
        self.windows: Kept[Tensor] = Kept(self._cells, KEPT)
        self._vectors: dict[str, tuple[Tensor, bool]] = {}

    @staticmethod
    def load(
        checkpoint: Checkpoint, config: TextSegVolConfig, tokens: PromptTokens, placement: Placement, *, clip: bool
    ) -> Runner:
        """Raises UserError where the checkpoint's tensors are not this network's."""
        build = partial(TextSegVol, config)
        return Runner(
            load(build, checkpoint, placement=placement, rename=rename, unused=UNUSED), tokens, placement, clip=clip
        )

    @torch.inference_mode()
    def segment(self, volume: Volume, text: str, *, zoom_in: bool) -> tuple[npt.NDArray[np.float32], bool]:
        """A volume (1, D, H, W), 0..1, and a prompt -> probabilities (D, H, W), and whether anything was found."""
        prepared = image_of(normalised(volume) if self._clip else volume)
        box = foreground(prepared)
        look = self.look(prepared[(..., *box)], text, zoom_in=zoom_in)
        found = np.zeros(volume.shape[-3:], dtype=np.float32)
        found[box] = look.final[0, 0].sigmoid().cpu().numpy()
        return found, bounds(look.final[0, 0] > 0) is not None

    @torch.inference_mode()
    def look(self, full: Tensor, text: str, *, zoom_in: bool = True) -> Look:
        """A scan cropped to its foreground (1, 1, D, H, W), float32, 0..1."""
        vector = self.vector(text)[0]
        first = self._decoded(self.views, whole_view(full, self.grid), vector)
        depth, height, width = full.shape[-3:]
        final = whole_logits(first, (depth, height, width))
        place = region(final, self.grid) if zoom_in else None
        if place is None:
            return Look(first, None, None, final)
        decoded = partial(self._decoded, self.windows, vector=vector)
        second = slide(full[(..., *place.slices)], self.grid, decoded)
        final[(..., *place.slices)] = second
        return Look(first, place, second, final)

    @torch.inference_mode()
    def vector(self, text: str) -> tuple[Tensor, bool]:
        """The vector (1, width) that prompts the decoder, and whether the text lost its end."""
        if text not in self._vectors:
            ids, mask, cut = self.tokens.ids(text)
            device = self._placement.device
            self._vectors[text] = self.model.text_encoder(ids.to(device), mask.to(device), self.tokens.end), cut
        return self._vectors[text]

    def checks(self) -> Iterator[SelfCheck]:
        """The start-up checks; the names and shapes of all tensors were checked on loading."""
        shape = (1, *self.grid)
        yield libraries(LIBRARIES)
        yield images(torch.from_numpy(body_volume(shape))[None], shape)
        liver, spleen = (self.vector(PHRASE.format(name))[0].float() for name in ("liver", "spleen"))
        gap = float((liver - spleen).abs().max())
        yield SelfCheck("text is read", gap > 0 and bool(np.isfinite(gap)), f"largest difference {gap:.3g}")
        yield sees(lambda view: self.views.of(view[0].float().cpu().numpy()), shape, next(self.model.parameters()))

    def _decoded(self, kept: Kept[Tensor], view: Tensor, vector: Tensor) -> Tensor:
        """Logits (1, 1, *grid) of a view on the grid, float32, on the CPU."""
        return self.model.decode(kept.of(view[0].numpy()), vector).float().cpu()

    @torch.inference_mode()
    def _cells(self, view: Volume) -> Tensor:
        placed = torch.from_numpy(np.array(view))[None].to(self._placement.device, self._placement.torch_dtype)
        return self.model.encode(placed)
