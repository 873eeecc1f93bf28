"""SegVol: masks from text prompts, and boxes around them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.placed import Placed
from m3dbench.adapters.checkpoints.placement import Placement
from m3dbench.adapters.checkpoints.source import WeightSource
from m3dbench.adapters.checkpoints.tokenizer import find_tokenizer
from m3dbench.adapters.located import located
from m3dbench.data.prediction import Prediction
from m3dbench.errors import UserError

if TYPE_CHECKING:
    from m3dbench.adapters.segvol.config import TextSegVolConfig
    from m3dbench.adapters.segvol.running import Runner
    from m3dbench.adapters.segvol.texts import PromptTokens

SOURCE = WeightSource(
    hub_id="BAAI/SegVol",
    revision="main",
    size_gb=0.7,
    licence="MIT, as its code",
    memory="2 GB",
    alternative="m3d-lamed-tiny",
)
TOKENIZER = "openai/clip-vit-base-patch32"
PROMPTS = ("text",)
LEAKING = ("box", "point", "points", "bbox", "mask")
NORMALISE = ("none", "foreground")
CUT = "prompt longer than the text tower takes, cut at its end"
NOT_FOUND = "nothing found"
log = logging.getLogger(__name__)


class SegVolAdapter(Adapter):
    """The published checkpoint, or one of its layout; prompts are text only, never a box or a point.

    weights: a folder, a hub id with its ``revision``, or the single .pth file; tokenizer: folder or hub id of CLIP's,
    where the weights come without. zoom_in: look again, at full resolution, around what was found.
    normalise: ``none`` takes volumes as M3D-Seg stores them, ``foreground`` clips them first as SegVol's preparation.
    """

    name = "segvol"
    version = "1.0"
    tasks = frozenset({"seg_semantic", "seg_referring", "rec"})

    def __init__(
        self,
        *,
        weights: str = "",
        revision: str = "",
        tokenizer: str = "",
        prompt: str = "text",
        zoom_in: bool = True,
        normalise: str = "none",
        dtype: str = "auto",
        device: str = "auto",
        download: bool = False,
    ) -> None:
        if prompt in LEAKING:
            raise UserError(
                f"a {prompt} prompt would have to come from the reference mask, which leaks the answer",
                field="prompt",
                fix="leave prompt out: SegVol is asked by text, as all others are",
            )
        for field, value, known in (("prompt", prompt, PROMPTS), ("normalise", normalise, NORMALISE)):
            if value not in known:
                raise UserError(f"there is no {field} {value!r}", field=field, fix=f"one of: {', '.join(known)}")
        checkpoint = Checkpoint.find(SOURCE, weights or None, revision or None, download=download)
        self._placed = Placed(checkpoint, Placement.of(dtype, device))
        self._tokenizer = find_tokenizer(
            tokenizer,
            (checkpoint.folder,),
            TOKENIZER,
            option="tokenizer",
            what="CLIP's tokenizer",
            download=download,
        )
        self._zoom_in = zoom_in
        self._normalise = normalise
        self._runner: Runner | None = None

    def prepare(self, context: Context) -> None:
        if self._runner is None:
            from m3dbench.adapters.segvol.running import Runner

            checkpoint, placement = self._placed.checkpoint, self._placed.placement
            clip = self._normalise == "foreground"
            self._runner = Runner.load(checkpoint, self._config, self._tokens, placement, clip=clip)
            self._placed.insist(self._runner.checks())

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        return [self._answer(query) for query in queries]

    def facts(self) -> Mapping[str, Any]:
        looks = "whole view, then windows around what it found" if self._zoom_in else "whole view"
        # before the weights are read for their digest
        own = {"looks": looks, "normalise": self._normalise, "prompt": {"kind": "text", **self._tokens.facts()}}
        return {**self._placed.facts(), **own}

    def recorded(self) -> Mapping[str, Any]:
        return {**self._placed.recorded(), "tokenizer": str(self._tokenizer)}

    def _answer(self, query: Query) -> Prediction:
        from m3dbench.adapters.segvol.texts import phrase

        assert self._runner is not None  # noqa: S101 - prepare came first
        if query.request.box is not None:
            raise UserError(
                "the request holds a box, which comes from the reference: a prompt of what is to be found leaks it",
                record=query.id,
                field="box",
                fix="ask by name, definition or question",
            )
        text = phrase(query.request)
        mask, found = self._runner.segment(query.volume(), text, zoom_in=self._zoom_in)
        notes = {CUT: self._runner.vector(text)[1], NOT_FOUND: not found}
        return located(query, mask, text, tuple(note for note, applies in notes.items() if applies))

    @cached_property
    def _config(self) -> TextSegVolConfig:
        from m3dbench.adapters.segvol.config import TextSegVolConfig

        return TextSegVolConfig.read(self._placed.checkpoint)

    @cached_property
    def _tokens(self) -> PromptTokens:
        from m3dbench.adapters.segvol.texts import PromptTokens

        return PromptTokens(self._tokenizer, self._config.text)
