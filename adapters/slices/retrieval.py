"""Slice baselines: every slice is embedded, and a volume is as similar to a text as its best slice."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.adapters.checkpoints.placed import Placed
from m3dbench.adapters.slices.showing import windows_of
from m3dbench.data.prediction import Prediction
from m3dbench.data.slices import Picture, Slices, pictures
from m3dbench.errors import UserError

if TYPE_CHECKING:
    from m3dbench.adapters.slices.raw import RawSeries
    from m3dbench.adapters.slices.towers import Towers

log = logging.getLogger(__name__)


class SliceRetriever(Adapter):
    """Retrieval by slices; ``towers`` is what a model adds. raw: where ``RawSeries`` finds the series, empty for the
    prepared volumes."""

    tasks = frozenset({"retrieval"})
    batch_size = 8

    def __init__(self, placed: Placed, how: Slices, raw: str) -> None:
        self._placed = placed
        self._how = how
        self._raw: RawSeries | None = None
        if raw:
            from m3dbench.adapters.slices.raw import RawSeries

            self._raw = RawSeries(Path(raw))
        self._loaded: Towers | None = None

    @abstractmethod
    def towers(self) -> Towers:
        """Loads the model."""

    def prepare(self, context: Context) -> None:
        if self._raw is not None and context.altered:
            raise UserError("a control changes prepared volumes, and raw slices are read past it", fix="leave raw out")
        if self._loaded is None:
            self._loaded = self.towers()
            self._placed.insist(self._loaded.checks())
        log.info("%s: %s of %s", self.name, self._how, self._source)

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        assert self._loaded is not None  # noqa: S101 - prepare came first
        shown = [self._pictures(query) for query in queries]
        bounds = np.cumsum([len(views) for views in shown])[:-1]
        images = np.split(self._loaded.images([picture for views in shown for picture in views]), bounds)
        texts, cut = self._loaded.texts([query.request.description for query in queries])
        if limit := self._loaded.batch_limit:
            self._placed.told["batch_limit"] = limit
        note = f"report longer than {self._loaded.text_limit} tokens, cut at its end"
        return [
            Prediction(query.id, image_embedding=views, text_embedding=text, notes=(note,) if short else ())
            for query, views, text, short in zip(queries, images, texts, cut, strict=True)
        ]

    def facts(self) -> Mapping[str, Any]:
        return {**self._placed.facts(), "slices": repr(self._how), "source": self._source, "score": "best slice"}

    def recorded(self) -> Mapping[str, Any]:
        return self._placed.recorded()

    @property
    def _source(self) -> str:
        return "prepared volumes" if self._raw is None else "raw series"

    def _pictures(self, query: Query) -> list[Picture]:
        if self._raw is not None:
            return self._raw.pictures(query.path, self._how)
        return pictures(query.volume(), self._how)


def slices_of(count: int, endpoints: bool, axis: str, window: str, flip: str) -> Slices:
    """Slices at their own size in voxels, evenly from the first to the last (``endpoints``) or the middles of equal
    parts. Raises UserError."""
    rule = "ends" if endpoints else "middle"
    return Slices(axis=axis, count=count, rule=rule, windows=windows_of(window), size=0, flip=flip)  # type: ignore[arg-type]
