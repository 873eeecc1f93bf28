"""RadFM: reports, closed and open questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.digest import files_digest
from m3dbench.adapters.checkpoints.placed import Placed, configured
from m3dbench.adapters.checkpoints.placement import Placement
from m3dbench.adapters.generation import Generation
from m3dbench.adapters.radfm.published import RADFM
from m3dbench.data.prediction import Prediction
from m3dbench.errors import UserError

if TYPE_CHECKING:
    from m3dbench.adapters.radfm.config import RadFMConfig
    from m3dbench.adapters.radfm.running import Runner
    from m3dbench.adapters.radfm.tokens import PromptTokens

SIZES = ("trained", "loader")


class RadFMAdapter(Adapter):
    """The published checkpoint, or one of its layout; greedy decoding.

    weights: a folder, or the file alone. language: the folder with config.json and the tokenizer, where the weights'
    own has none. size: in-plane size of a volume, 256 as ``trained`` (512 for one of at most six slices) or 512 as the
    published test ``loader``. wording: ``trained`` or ``request``, each request's own.
    """

    name = "radfm"
    version = "1.0"
    tasks = frozenset({"report_generation", "vqa_closed", "vqa_open"})
    batch_size = 8

    def __init__(
        self,
        *,
        weights: str = "",
        revision: str = "",
        language: str = "",
        size: str = "trained",
        max_new_tokens: int = 200,
        wording: str = "trained",
        dtype: str = "auto",
        device: str = "auto",
        download: bool = False,
    ) -> None:
        if size not in SIZES:
            raise UserError(f"there is no size {size!r}", field="size", fix=f"one of: {', '.join(SIZES)}")
        self._generation = Generation.of(max_new_tokens, wording, usual=200)
        self._size = size
        checkpoint = Checkpoint.find(RADFM, weights or None, revision or None, download=download)
        checkpoint = checkpoint.with_settings(language, "language")
        if not checkpoint.has("config.json"):
            fix = "name RadFM's Language_files folder: -o language=FOLDER"
            raise UserError("there is no config.json with the weights", file=checkpoint.folder, fix=fix)
        self._placed = Placed(checkpoint, Placement.of(dtype, device))
        self._runner: Runner | None = None

    def prepare(self, context: Context) -> None:
        self._context = context
        if self._runner is None:
            from m3dbench.adapters.radfm.checks import checks
            from m3dbench.adapters.radfm.running import Runner

            tokens, place, config = self._tokens, self._placed, self._config
            self._generation.insist_beside(len(tokens.golden), config.language.max_position_embeddings)
            self._runner = Runner.load(place.checkpoint, config, place.placement, self._size)
            place.insist(checks(self._runner, tokens))

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        from m3dbench.adapters.radfm.answers import predictions

        assert self._runner is not None  # noqa: S101 - prepare came first
        verbatim = self._generation.verbatim(self._context)
        answers = predictions(queries, self._runner, self._tokens, self._generation, verbatim=verbatim)
        if reached := self._runner.halving.limit:
            self._placed.told["batch_limit"] = reached
        return answers

    def facts(self) -> Mapping[str, Any]:
        prompt = {
            "wording": self._generation.wording,
            **self._tokens.facts(),
        }  # before the weights are read for their digest
        settings = self._placed.checkpoint.file("config.json")
        return {
            **self._placed.facts(),
            "config": files_digest(settings.parent, (settings.name,)),
            "size": self._size,
            "generation": {**self._generation.facts(), "ends": [1, 2]},
            "prompt": prompt,
        }

    def recorded(self) -> Mapping[str, Any]:
        return self._placed.recorded()

    @cached_property
    def _config(self) -> RadFMConfig:
        from m3dbench.adapters.radfm.config import RadFMConfig

        return configured(self._placed.checkpoint, RadFMConfig.of)

    @cached_property
    def _tokens(self) -> PromptTokens:
        from m3dbench.adapters.radfm.tokens import PromptTokens

        folder = self._placed.checkpoint.tokenizer_folder()
        return PromptTokens(folder, self._config.language.vocab_size, self._config.vision.perceiver_latents)
