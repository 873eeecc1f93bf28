"""M3D-LaMed: seven tasks by itself, retrieval by its companion M3D-CLIP."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.placed import Placed, configured
from m3dbench.adapters.checkpoints.placement import Placement
from m3dbench.adapters.checkpoints.source import WeightSource
from m3dbench.adapters.generation import Generation
from m3dbench.adapters.m3d_clip.adapter import M3DClipAdapter, M3DClipTiny, embedded_in
from m3dbench.adapters.m3d_lamed.published import PHI3, known_bad, source_of
from m3dbench.data.prediction import Prediction
from m3dbench.errors import UserError
from m3dbench.metrics.box_convention import M3D

if TYPE_CHECKING:
    from m3dbench.adapters.m3d_lamed.config import LaMedConfig
    from m3dbench.adapters.m3d_lamed.running import Runner
    from m3dbench.adapters.m3d_lamed.tokens import PromptTokens

log = logging.getLogger(__name__)


class M3DLaMed(Adapter):
    """The published checkpoints, fine-tuned ones, and LoRA adapters over their ``base``; greedy decoding.

    weights: a folder, or a hub id with its ``revision``. companion: weights of M3D-CLIP for retrieval; ``auto`` are the
    published ones where they are on this machine, ``none`` leaves retrieval out. wording: ``trained`` asks in the
    sentences that the model was trained with, ``request`` in each request's own.
    """

    name = "m3d-lamed"
    version = "1.0"
    tasks = frozenset({"vqa_closed", "vqa_open", "report_generation", "rec", "reg", "seg_semantic", "seg_referring"})
    boxes = M3D
    batch_size = 8
    source: ClassVar[WeightSource] = PHI3
    clip: ClassVar[type[M3DClipAdapter]] = M3DClipAdapter

    def __init__(
        self,
        *,
        weights: str = "",
        revision: str = "",
        base: str = "",
        companion: str = "auto",
        max_new_tokens: int = 256,
        wording: str = "trained",
        dtype: str = "auto",
        device: str = "auto",
        download: bool = False,
    ) -> None:
        self._generation = Generation.of(max_new_tokens, wording, usual=256)
        weights = weights or self.default_weights()
        checkpoint = Checkpoint.find(
            source_of(weights, self.source), weights or None, revision or None, base=base or None, download=download
        )
        self._placed = Placed(checkpoint, Placement.of(dtype, device))
        self._companion = self._found(companion, dtype=dtype, device=device, download=download)
        if self._companion is not None:
            self.tasks = type(self).tasks | self._companion.tasks
        self._runner: Runner | None = None
        self._segments = False

    @classmethod
    def default_weights(cls) -> str:
        """The weights where the user names none; empty for those at the hub."""
        return ""

    def lacks(self, task: str) -> str:
        return self._lacking if task in self.clip.tasks else ""

    def prepare(self, context: Context) -> None:
        self._context = context
        if context.answer == "embedding":
            self._retriever().prepare(context)
            return
        from m3dbench.adapters.m3d_lamed.checks import checks, segments
        from m3dbench.adapters.m3d_lamed.running import Runner

        if context.answer == "mask" and (trouble := known_bad(self._placed.checkpoint.config())):
            self._placed.told["warning"] = trouble
            log.warning(trouble)
        if self._runner is None:
            positions = self._config.language.max_position_embeddings
            self._generation.insist_beside(len(self._tokens.golden), positions)
            self._runner = Runner.load(self._placed.checkpoint, self._config, self._placed.placement)
            self._placed.insist(checks(self._runner, self._tokens))
        if context.answer == "mask" and not self._segments:
            self._placed.insist([segments(self._runner, self._tokens)])
            self._segments = True

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        if self._context.answer == "embedding":
            return self._retriever().predict(queries)
        from m3dbench.adapters.m3d_lamed.answers import predictions

        assert self._runner is not None  # noqa: S101 - prepare came first
        kind, verbatim = self._context.answer, self._generation.verbatim(self._context)
        answers = predictions(queries, kind, self._runner, self._tokens, self._generation, verbatim=verbatim)
        if reached := self._runner.halving.limit:
            self._placed.told["batch_limit"] = reached
        return answers

    def facts(self) -> Mapping[str, Any]:
        prompt = {
            "wording": self._generation.wording,
            **self._tokens.facts(),
        }  # before the weights are read for their digest
        return {
            **self._placed.facts(),
            "generation": self._generation.facts(),
            "prompt": prompt,
            "companion": self._companion and {"model": self._companion.name, **self._companion.facts()},
        }

    def recorded(self) -> Mapping[str, Any]:
        return {**self._placed.recorded(), "companion": self._companion and self._companion.recorded()}

    @cached_property
    def _config(self) -> LaMedConfig:
        from m3dbench.adapters.m3d_lamed.config import LaMedConfig

        return configured(self._placed.checkpoint, LaMedConfig.of)

    @cached_property
    def _tokens(self) -> PromptTokens:
        from m3dbench.adapters.m3d_lamed.tokens import PromptTokens

        folder = self._placed.checkpoint.tokenizer_folder()
        return PromptTokens(folder, self._config.image_tokens, self._config.seg_token)

    def _found(self, companion: str, **options: Any) -> M3DClipAdapter | None:
        self._lacking = ""
        if companion == "none":
            self._lacking = "its companion was left out"
            return None
        try:
            return self.clip(weights="" if companion == "auto" else companion, **options)
        except UserError as error:
            if companion != "auto" or options["download"]:
                raise
            self._lacking = f"its companion {self.clip.name} is missing: {error.message.splitlines()[0]}"
            return None

    def _retriever(self) -> M3DClipAdapter:
        assert self._companion is not None  # noqa: S101 - without one retrieval is none of the tasks
        return self._companion


class M3DLaMedTiny(M3DLaMed):
    """The same classes at toy size, trained on phantom cases and embedded in the package, with its companion."""

    name = "m3d-lamed-tiny"
    clip = M3DClipTiny

    @classmethod
    def default_weights(cls) -> str:
        return embedded_in(Path(__file__).parent / "tiny")
