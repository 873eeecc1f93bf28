"""Any CLIP or SigLIP: embeddings of a volume's slices and of reports for retrieval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.files import OPEN_CLIP_CONFIG
from m3dbench.adapters.checkpoints.placed import Placed, settings_digest
from m3dbench.adapters.checkpoints.placement import Placement
from m3dbench.adapters.checkpoints.source import any_model
from m3dbench.adapters.slices.retrieval import SliceRetriever, slices_of
from m3dbench.errors import UserError

if TYPE_CHECKING:
    from m3dbench.adapters.slices.towers import Towers

LIBRARIES = ("transformers", "open_clip")


class ClipAdapter(SliceRetriever):
    """A CLIP or SigLIP checkpoint on equally spaced slices; a volume is as similar to a report as its best slice.

    weights: a folder, or a hub id with its ``revision``, in the layout of transformers or of open_clip. library: which
    of the two, ``auto`` takes transformers' where both are there. slices: how many. endpoints: from the first to the
    last, else the middles of equal parts. raw: where M3D-Cap's picture folders are, to embed slices as published
    instead of prepared volumes. axis, window, flip: see ``m3dbench.data.slices``.
    """

    name = "clip"
    version = "1.0"

    def __init__(
        self,
        *,
        weights: str,
        revision: str = "",
        library: str = "auto",
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
        if library not in ("auto", *LIBRARIES):
            raise UserError(f"there is no library {library!r}", field="library", fix="transformers, open_clip or auto")
        checkpoint = Checkpoint.find(any_model("m3d-clip-tiny"), weights, revision or None, download=download)
        foreign = (checkpoint.folder / OPEN_CLIP_CONFIG).is_file()
        if library == "auto":
            library = "open_clip" if foreign and not (checkpoint.folder / "config.json").is_file() else "transformers"
        checkpoint.file(OPEN_CLIP_CONFIG if library == "open_clip" else "config.json")
        self._library = library
        self.name = f"clip:{checkpoint.title}"  # type: ignore[misc]
        super().__init__(Placed(checkpoint, Placement.of(dtype, device)), how, raw)

    def towers(self) -> Towers:
        place = self._placed.checkpoint, self._placed.placement
        if self._library == "open_clip":
            from m3dbench.adapters.clip.openclip import OpenClipTowers

            return OpenClipTowers.load(*place)
        from m3dbench.adapters.clip.huggingface import HuggingFaceTowers

        return HuggingFaceTowers.load(*place)

    def facts(self) -> Mapping[str, Any]:
        settings = settings_digest(self._placed.checkpoint)
        return {**super().facts(), "library": self._library, "settings": settings}
