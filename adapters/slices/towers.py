"""Two towers at work: unit vectors of pictures and texts, in batches that fit the memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from m3dbench.adapters.checkpoints import Placement
from m3dbench.adapters.checkpoints.selfcheck import SelfCheck, body_volume
from m3dbench.adapters.nets.halving import Halving
from m3dbench.data.slices import Picture

Rows = npt.NDArray[np.float32]
T = TypeVar("T")
AT_ONCE = 64
"""Pictures or texts that the network gets at a time, since a batch of queries has ten slices each."""


class Towers(ABC):
    """An image and a text tower with one space, loaded. text_limit: the tokens of a text that it takes."""

    text_limit: int

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._halving = Halving(AT_ONCE)

    def images(self, shown: Sequence[Picture]) -> Rows:
        """Unit vectors (n, width) of grey pictures."""
        return self._run(self.encode_pictures, shown)

    def texts(self, texts: Sequence[str]) -> tuple[Rows, list[bool]]:
        """Unit vectors (n, width), and which texts lost their end."""
        return self._run(self.encode_texts, texts), [length > self.text_limit for length in self.lengths(texts)]

    @property
    def batch_limit(self) -> int:
        """Pictures or texts that fitted the memory at a time, 0 where all did."""
        return self._halving.limit if self._halving.limit < AT_ONCE else 0

    @abstractmethod
    def encode_pictures(self, shown: Sequence[Picture]) -> Tensor:
        """Vectors (n, width) of any length."""

    @abstractmethod
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Vectors (n, width) of any length."""

    @abstractmethod
    def lengths(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, uncut."""

    def checks(self) -> Iterator[SelfCheck]:
        """A plain and a structured picture embed differently, and two texts do; all vectors have length 1."""
        body = body_volume((1, 3, 96, 80))[0, 1]
        grey = [np.full(body.shape, 127, dtype=np.uint8), np.rint(body * 255).astype(np.uint8)]
        images, (texts, _) = self.images(grey), self.texts(["A mass in the liver.", "No finding in the left kidney."])
        for name, rows in (("image is seen", images), ("text is read", texts)):
            gap = float(np.abs(rows[0] - rows[1]).max())
            yield SelfCheck(name, bool(np.isfinite(gap)) and gap > 0, f"largest difference {gap:.3g}")
        off = float(np.abs(np.linalg.norm(np.concatenate([images, texts]), axis=1) - 1).max())
        yield SelfCheck("unit vectors", off <= 1e-3, f"length off 1 by {off:.2g} at most")

    def placed(self, values: Any) -> Tensor:
        """Pixels where the network computes, in its precision."""
        return torch.as_tensor(values).to(self._placement.device, self._placement.torch_dtype)

    def _run(self, encode: Callable[[Sequence[T]], Tensor], items: Sequence[T]) -> Rows:
        @torch.inference_mode()
        def work(batch: Sequence[T]) -> Sequence[Rows]:
            return list(functional.normalize(encode(batch).float(), dim=-1).cpu().numpy())

        return np.stack(self._halving.run(work, items))
