"""The adapter: queries to conversations with pictures, new tokens to predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.digest import paths_digest
from m3dbench.adapters.checkpoints.placed import Placed, settings_digest
from m3dbench.adapters.checkpoints.placement import Placement
from m3dbench.adapters.checkpoints.source import any_model
from m3dbench.adapters.slices.showing import TASKS, UPSTREAM_TOKENS, Showing
from m3dbench.data.prediction import Prediction
from m3dbench.errors import UserError

if TYPE_CHECKING:
    from m3dbench.adapters.hf_vlm.running import Runner, Spoken

UNFINISHED = "answer cut at the token limit"


class HFVLM(Adapter):
    """A vision language model of transformers (Qwen-VL, MedGemma, InternVL and others), fed with slices; greedy.

    weights: a folder, or a hub id with its ``revision``. slices: how many, ``upstream`` (as the reference shows them to
    GPT-4V), or ``none`` for text alone. axis, window, size, montage, flip: see ``m3dbench.data.slices``; several
    windows go with commas. instruction: in the place of our sentence on the answer's form. trust_remote_code: run the
    code that lies beside the weights. See docs/model-hf-vlm.md.
    """

    name = "hf-vlm"
    version = "1.0"
    tasks = TASKS
    batch_size = 4

    def __init__(
        self,
        *,
        weights: str,
        revision: str = "",
        slices: str = "10",
        axis: str = "d",
        window: str = "auto",
        size: int = 512,
        montage: int = 0,
        flip: str = "",
        instruction: str = "",
        max_new_tokens: int = UPSTREAM_TOKENS,
        trust_remote_code: bool = False,
        dtype: str = "auto",
        device: str = "auto",
        download: bool = False,
    ) -> None:
        self._showing = Showing.of(slices, axis, window, size, montage, flip, instruction)
        if max_new_tokens < 1:
            raise UserError("max_new_tokens must be at least 1", field="max_new_tokens", fix="300 is the default")
        self._max_new_tokens = max_new_tokens
        self._trust = trust_remote_code
        source = any_model("m3d-lamed-tiny")
        checkpoint = Checkpoint.find(source, weights, revision or None, download=download, code=trust_remote_code)
        self._placed = Placed(checkpoint, Placement.of(dtype, device))
        self._runner: Runner | None = None
        self.name = f"hf-vlm:{checkpoint.title}"  # type: ignore[misc]
        self.looks = self._showing.how is not None  # type: ignore[misc]
        self.boxes = self._showing.boxes  # type: ignore[misc]
        self.tasks = self._showing.tasks

    def prepare(self, context: Context) -> None:
        self._answer = context.answer
        if self._runner is None:
            from m3dbench.adapters.hf_vlm.running import Runner

            self._runner = Runner.load(self._placed.checkpoint, self._placed.placement, trust=self._trust)
            self._placed.insist(self._runner.checks(sees=self.looks))

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        assert self._runner is not None  # noqa: S101 - prepare came first
        texts = [self._showing.text(query, self._answer) for query in queries]
        shown = [self._showing.pictures(query.volume(), query.request.kind) if self.looks else [] for query in queries]
        spoken = self._runner.answer(list(zip(shown, texts, strict=True)), self._max_new_tokens)
        if limit := self._runner.halving.limit:
            self._placed.told["batch_limit"] = limit
        return [self._prediction(*one) for one in zip(queries, texts, spoken, strict=True)]

    def facts(self) -> Mapping[str, Any]:
        checkpoint = self._placed.checkpoint
        code = paths_digest(checkpoint.folder.glob("*.py")) if self._trust else None
        return {
            **self._placed.facts(),
            **self._showing.facts(),
            "settings": settings_digest(checkpoint),
            "remote_code": code,
            "generation": {"decoding": "greedy", "max_new_tokens": self._max_new_tokens},
        }

    def recorded(self) -> Mapping[str, Any]:
        return self._placed.recorded()

    def _prediction(self, query: Query, text: str, spoken: Spoken) -> Prediction:
        return Prediction(
            query.id,
            spoken.text,
            self._showing.box(query, spoken.text) if self._answer == "box" else None,
            wording=text,
            prompt_ids=spoken.prompt_ids,
            notes=(UNFINISHED,) if spoken.cut else (),
        )
