"""M3D-CLIP: embeddings of volumes and reports for retrieval."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.placed import Placed
from m3dbench.adapters.checkpoints.placement import Placement
from m3dbench.adapters.checkpoints.source import WeightSource
from m3dbench.adapters.m3d_clip.texts import MAX_TOKENS
from m3dbench.data.prediction import Prediction
from m3dbench.errors import UserError

if TYPE_CHECKING:
    from m3dbench.adapters.m3d_clip.encoders import Encoders

SOURCE = WeightSource(
    hub_id="GoodBaiBai88/M3D-CLIP",
    revision="main",
    size_gb=0.8,
    licence="not stated (code: MIT)",
    memory="2 GB",
    alternative="m3d-clip-tiny",
)
CUT = f"report longer than {MAX_TOKENS} tokens, cut at its end"
log = logging.getLogger(__name__)


class M3DClipAdapter(Adapter):
    """Both towers of M3D-CLIP; a volume and a report are compared by the vectors of their class tokens.

    weights: a folder, or a hub id with its ``revision``. A report over 512 tokens loses its end.
    """

    name = "m3d-clip"
    version = "1.0"
    tasks = frozenset({"retrieval"})
    batch_size = 8
    source: ClassVar[WeightSource] = SOURCE

    def __init__(
        self,
        *,
        weights: str = "",
        revision: str = "",
        dtype: str = "auto",
        device: str = "auto",
        download: bool = False,
    ) -> None:
        weights = weights or self.default_weights()
        checkpoint = Checkpoint.find(self.source, weights or None, revision or None, download=download)
        self._placed = Placed(checkpoint, Placement.of(dtype, device))
        self._encoders: Encoders | None = None

    @classmethod
    def default_weights(cls) -> str:
        """The weights where the user names none; empty for those at the hub."""
        return ""

    def prepare(self, context: Context) -> None:
        if self._encoders is None:
            from m3dbench.adapters.m3d_clip.encoders import Encoders

            self._encoders = Encoders.load(self._placed.checkpoint, self._placed.placement)
            self._placed.insist(self._encoders.checks())
            log.info("%s: self-checks passed", self.name)

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        assert self._encoders is not None  # noqa: S101 - prepare came first
        embedded = self._encoders.embed([(query.volume(), query.request.description) for query in queries])
        if limit := self._encoders.halving.limit:
            self._placed.told["batch_limit"] = limit
        return [
            Prediction(query.id, image_embedding=one.image, text_embedding=one.text, notes=(CUT,) if one.cut else ())
            for query, one in zip(queries, embedded, strict=True)
        ]

    def facts(self) -> Mapping[str, Any]:
        return {**self._placed.facts(), "text": f"first {MAX_TOKENS} tokens"}

    def recorded(self) -> Mapping[str, Any]:
        return self._placed.recorded()


class M3DClipTiny(M3DClipAdapter):
    """The same towers at toy size, trained on phantom cases and embedded in the package."""

    name = "m3d-clip-tiny"

    @classmethod
    def default_weights(cls) -> str:
        return embedded_in(Path(__file__).parent / "tiny")


def embedded_in(folder: Path) -> str:
    """A checkpoint's folder in the package. Raises UserError when the installation lacks it."""
    if not (folder / "config.json").is_file():
        raise UserError("the embedded checkpoint is not in this installation", file=folder, fix="install m3dbench anew")
    return str(folder)
