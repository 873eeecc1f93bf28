"""PMC-CLIP: embeddings of a volume's slices and of reports for retrieval."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m3dbench.adapters.checkpoints.checkpoint import TOKENIZER_FILES, Checkpoint
from m3dbench.adapters.checkpoints.digest import paths_digest
from m3dbench.adapters.checkpoints.placed import Placed
from m3dbench.adapters.checkpoints.placement import Placement
from m3dbench.adapters.checkpoints.source import WeightSource, locate
from m3dbench.adapters.slices.retrieval import SliceRetriever, slices_of
from m3dbench.errors import UserError

if TYPE_CHECKING:
    from m3dbench.adapters.slices.towers import Towers

SOURCE = WeightSource(
    hub_id="axiong/pmc_oa",
    revision="main",
    size_gb=1.2,
    licence="not stated (code: MIT)",
    memory="1 GB",
    alternative="m3d-clip-tiny",
    files=("checkpoint.pt",),
    kind="dataset",
)
TOKENIZER = WeightSource(
    hub_id="microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract-fulltext",
    revision="main",
    size_gb=0.001,
    licence="MIT",
    memory="none of note",
    alternative="m3d-clip-tiny",
    files=("vocab.txt", "config.json", "tokenizer_config.json"),
    option="tokenizer",
)


class PmcClipAdapter(SliceRetriever):
    """PMC-CLIP on equally spaced slices; a volume is as similar to a report as its best slice.

    weights: a folder or file, or a hub id with its ``revision``. tokenizer: BiomedBERT's, a folder or hub id; where
    there is one beside the weights, that. slices: how many. endpoints: from the first to the last, else the middles of
    equal parts. raw: where M3D-Cap's picture folders are, to embed slices as published instead of prepared volumes.
    axis, window, flip: see ``m3dbench.data.slices``.
    """

    name = "pmc-clip"
    version = "1.0"

    def __init__(
        self,
        *,
        weights: str = "",
        revision: str = "",
        tokenizer: str = "",
        slices: int = 10,
        endpoints: bool = True,
        raw: str = "",
        axis: str = "d",
        window: str = "full",
        flip: str = "",
        dtype: str = "auto",
        device: str = "auto",
        download: bool = False,
    ) -> None:
        how = slices_of(slices, endpoints, axis, window, flip)
        checkpoint = Checkpoint.find(SOURCE, weights or None, revision or None, download=download)
        if not tokenizer and any((checkpoint.folder / name).is_file() for name in TOKENIZER_FILES):
            tokenizer = str(checkpoint.folder)
        self._tokenizer = locate(TOKENIZER, tokenizer or None, download=download)
        if not self._words():
            raise UserError("there is no tokenizer", file=self._tokenizer, fix=f"one of {', '.join(TOKENIZER_FILES)}")
        super().__init__(Placed(checkpoint, Placement.of(dtype, device)), how, raw)

    def towers(self) -> Towers:
        from m3dbench.adapters.pmc_clip.towers import PmcClipTowers

        return PmcClipTowers.load(self._placed.checkpoint, self._tokenizer, self._placed.placement)

    def facts(self) -> Mapping[str, Any]:
        config = self._placed.checkpoint.folder / "config.json"
        sizes = paths_digest([config]) if config.is_file() else "published"
        return {**super().facts(), "sizes": sizes, "tokenizer": paths_digest(self._words())}

    def _words(self) -> list[Path]:
        return [path for name in TOKENIZER_FILES if (path := self._tokenizer / name).is_file()]
