"""M3D-CLIP at work: unit vectors of volumes and reports, in batches that fit the memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from m3dbench.adapters.checkpoints import Checkpoint, Placement, load
from m3dbench.adapters.checkpoints.placed import configured
from m3dbench.adapters.checkpoints.selfcheck import SelfCheck, body_volume, images, libraries, sees, unit
from m3dbench.adapters.m3d_clip.model import UNUSED, M3DClip, vision_config
from m3dbench.adapters.m3d_clip.texts import ReportTokens
from m3dbench.adapters.nets.grids import to_model
from m3dbench.adapters.nets.halving import Halving

LIBRARIES = {"torch": "2.4", "transformers": "4.45"}
Volume = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Embedded:
    """Unit vectors (width,) of a volume and of a text. cut: the text was longer than the text tower takes."""

    image: npt.NDArray[np.float32]
    text: npt.NDArray[np.float32]
    cut: bool


class Encoders:
    """Both towers, loaded, with the tokenizer."""

    def __init__(self, model: M3DClip, tokens: ReportTokens, placement: Placement) -> None:
        self.model = model
        self.halving = Halving()
        self._tokens = tokens
        self._placement = placement

    @staticmethod
    def load(checkpoint: Checkpoint, placement: Placement) -> Encoders:
        """Raises UserError where the checkpoint is not M3D-CLIP's."""
        configured(checkpoint, vision_config)
        network = partial(M3DClip, checkpoint.config())
        model = load(network, checkpoint, placement=placement, unused=UNUSED)
        positions = model.language_encoder.config.max_position_embeddings
        return Encoders(model, ReportTokens(checkpoint.tokenizer_folder(), positions), placement)

    def embed(self, pairs: Sequence[tuple[Volume, str]]) -> list[Embedded]:
        """Volumes (1, D, H, W), 0..1, with their reports."""
        return self.halving.run(self._embed, pairs)

    @torch.inference_mode()
    def _embed(self, pairs: Sequence[tuple[Volume, str]]) -> list[Embedded]:
        seen = torch.cat([to_model(volume, self.model.vision.image_size) for volume, _ in pairs])
        ids, mask, cut = self._tokens.ids([text for _, text in pairs])
        device = self._placement.device
        vectors = self.model.encode_image(seen.to(device, self._placement.torch_dtype))
        told = self.model.encode_text(ids.to(device), mask.to(device))
        return [
            Embedded(image, text, short) for image, text, short in zip(_plain(vectors), _plain(told), cut, strict=True)
        ]

    def checks(self) -> Iterator[SelfCheck]:
        """The start-up checks; the names and shapes of all tensors were checked on loading."""
        shape = (1, *self.model.vision.image_size)
        body = body_volume(shape)
        yield libraries(LIBRARIES)
        yield images(torch.from_numpy(body)[None], shape)
        yield sees(self.model.encode_image, shape, next(self.model.parameters()))
        one = self.embed([(body, "A mass in the liver."), (body, "No finding.")])
        vectors = torch.from_numpy(np.stack([vector for pair in one for vector in (pair.image, pair.text)]))
        yield unit(vectors, 1e-3 if self._placement.dtype == "fp32" else 1e-2)


def _plain(vectors: Tensor) -> npt.NDArray[np.float32]:
    return np.asarray(vectors.float().cpu().numpy(), dtype=np.float32)
