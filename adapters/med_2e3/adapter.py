"""Med-2E3 as an adapter: reports, open and closed questions, and how much each slice counted for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.digest import files_digest
from m3dbench.adapters.checkpoints.placed import Placed, configured
from m3dbench.adapters.checkpoints.placement import Placement
from m3dbench.adapters.checkpoints.tokenizer import FILES, find_tokenizer
from m3dbench.adapters.generation import Generation
from m3dbench.adapters.med_2e3.published import (
    LANGUAGE_TOKENIZER,
    PUBLISHED,
    QUESTION_FOLDER,
    QUESTION_TOKENIZER,
    complete,
)
from m3dbench.data.prediction import Prediction
from m3dbench.errors import UserError

if TYPE_CHECKING:
    from m3dbench.adapters.med_2e3.config import Med2E3Config
    from m3dbench.adapters.med_2e3.prompts import PromptTokens
    from m3dbench.adapters.med_2e3.running import Runner

FORGOTTEN = "slices are weighed by random values, as the reference's loader leaves them: no result of the trained model"
log = logging.getLogger(__name__)


class Med2E3(Adapter):
    """The published folder of sub-checkpoints, or one laid out like it; greedy decoding.

    weights: a folder, or a hub id with its ``revision``. tokenizer, question_tokenizer: folders or hub ids, where the
    checkpoint comes without. wording: ``trained`` asks as the model was trained, ``request`` in each request's own
    words. reference_loader_bug: score slices by random values drawn from ``loader_seed``, as the reference does, whose
    loader forgets the projection that the checkpoint holds.
    """

    name = "med-2e3"
    version = "1.0"
    tasks = frozenset({"vqa_closed", "vqa_open", "report_generation"})
    batch_size = 8

    def __init__(
        self,
        *,
        weights: str = "",
        revision: str = "",
        tokenizer: str = "",
        question_tokenizer: str = "",
        max_new_tokens: int = 256,
        wording: str = "trained",
        reference_loader_bug: bool = False,
        loader_seed: int = 0,
        dtype: str = "auto",
        device: str = "auto",
        download: bool = False,
    ) -> None:
        if loader_seed and not reference_loader_bug:
            raise UserError("loader_seed is for reference_loader_bug alone", field="loader_seed", fix="leave it out")
        self._generation = Generation.of(max_new_tokens, wording, usual=256)
        self._forgetful = loader_seed if reference_loader_bug else None
        checkpoint = Checkpoint.find(PUBLISHED, weights or None, revision or None, download=download)
        self._placed = Placed(checkpoint, Placement.of(dtype, device))
        folder = checkpoint.folder
        self._tokenizer = find_tokenizer(
            tokenizer,
            (folder, folder / "llm"),
            LANGUAGE_TOKENIZER,
            option="tokenizer",
            what="the language model's tokenizer",
            download=download,
        )
        self._question_tokenizer = find_tokenizer(
            question_tokenizer,
            (folder / QUESTION_FOLDER, folder / "vision3d_model"),
            QUESTION_TOKENIZER,
            option="question_tokenizer",
            what="the tokenizer of the questions that slices are scored by (M3D-CLIP's)",
            download=download,
        )
        self._runner: Runner | None = None

    def prepare(self, context: Context) -> None:
        self._context = context
        if self._forgetful is not None:
            self._placed.told["warning"] = FORGOTTEN
            log.warning(FORGOTTEN)
        if self._runner is None:
            from m3dbench.adapters.m3d_clip.texts import ReportTokens
            from m3dbench.adapters.med_2e3.checks import checks
            from m3dbench.adapters.med_2e3.running import Runner

            config = self._config
            questions = ReportTokens(self._question_tokenizer, config.question.max_position_embeddings)
            placed = self._placed
            self._runner = Runner.load(placed.checkpoint, config, questions, placed.placement, self._forgetful)
            placed.insist(checks(self._runner, self._tokens))

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        from m3dbench.adapters.med_2e3.answers import predictions

        assert self._runner is not None  # noqa: S101 - prepare came first
        verbatim = self._generation.verbatim(self._context)
        answers = predictions(queries, self._runner, self._tokens, self._generation, verbatim=verbatim)
        if reached := self._runner.halving.limit:
            self._placed.told["batch_limit"] = reached
        return answers

    def facts(self) -> Mapping[str, Any]:
        # before the weights are read for their digest
        prompt = {"wording": self._generation.wording, **self._tokens.facts()}
        projection = "of the checkpoint" if self._forgetful is None else f"random, seed {self._forgetful}"
        return {
            **self._placed.facts(),
            "generation": self._generation.facts(),
            "prompt": prompt,
            "slice_scoring": {
                "projection": projection,
                "reference_loader_bug": self._forgetful is not None,
                "tokenizer": files_digest(self._question_tokenizer, FILES),
            },
        }

    def recorded(self) -> Mapping[str, Any]:
        tokenizers = {"tokenizer": str(self._tokenizer), "question_tokenizer": str(self._question_tokenizer)}
        return {**self._placed.recorded(), **tokenizers}

    @cached_property
    def _config(self) -> Med2E3Config:
        from m3dbench.adapters.med_2e3.config import Med2E3Config

        checkpoint = self._placed.checkpoint
        config = configured(checkpoint, lambda fields: Med2E3Config.of(complete(fields, checkpoint.folder)))
        self._generation.insist_beside(config.max_length, config.language.original_max_position_embeddings)
        return config

    @cached_property
    def _tokens(self) -> PromptTokens:
        from m3dbench.adapters.med_2e3.prompts import PromptTokens

        return PromptTokens(self._tokenizer, self._config.language.vocab_size)
