"""The contract of a model adapter: queries in, predictions out. About 60 lines around an existing model class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from m3dbench.data.prediction import Prediction
from m3dbench.data.sample import AnswerKind, Reference, Request, Sample
from m3dbench.metrics.box_convention import BoxConvention

if TYPE_CHECKING:
    from m3dbench.chat.cost import Estimate
    from m3dbench.data.geometry import Geometry

Role = Literal["model", "blind", "oracle"]


@dataclass(frozen=True)
class Query:
    """What an adapter sees of a sample: never its reference.

    ``volume()`` loads the prepared volume, float32 (1, D, H, W), in the values stored (M3D-Data keeps 0..1); it is
    shared and read-only. It raises DataError when the file is broken: let it pass, the engine records it.
    ``grid()`` is (D, H, W) from the file's header alone. ``geometry()`` says how the volume came from its scan (its
    spacing, axes, and the HU that its values are); None where the data set does not know. path: the volume's, relative
    to the data root; what lies there is what ``volume()`` gives unless the context says ``altered``.
    """

    id: str
    case: str
    request: Request
    volume: Callable[[], npt.NDArray[np.float32]]
    grid: Callable[[], tuple[int, int, int]]
    geometry: Callable[[], Geometry | None] = lambda: None
    path: str = ""


@dataclass(frozen=True)
class Known:
    """A reference in full, for train splits and for adapters that read references.

    ``mask()`` (D, H, W) and ``volume()`` (as in ``Query``) load on demand and raise DataError when the file is broken.
    """

    reference: Reference
    mask: Callable[[], npt.NDArray[np.bool_]]
    volume: Callable[[], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Context:
    """What the engine tells an adapter before the first query of a task.

    train: yields the train split's samples with their references, in a stable order; raises UserError when the data set
    has no train split. known: reference of a test sample, None unless the adapter declares ``reads_reference``.
    requests: ``upstream`` where samples are worded as the reference words them; an adapter with sentences of its own
    then leaves them as they are.
    folder: the task's folder in the run, where ``replies.jsonl`` and ``usage.jsonl`` are the adapter's own (what it
    paid for outlives a kill there); None where nothing is to be kept. altered: a control shows other voxels than the
    data set's.
    """

    task: str
    answer: AnswerKind
    seed: int
    train: Callable[[], Iterator[tuple[Sample, Known]]]
    known: Callable[[str], Known] | None = None
    requests: str = "default"
    folder: Path | None = None
    altered: bool = False


class Adapter(ABC):
    """A model behind a uniform face.

    tasks: names of the tasks it can do, of an instance those that its options allow. version: raised when its
    predictions may change.
    boxes: the convention of the boxes it returns, in numbers or in text; the engine converts once.
    looks: it needs the volume; the engine then checks every volume and turns a broken one into an ``error``.
    batch_size: queries per call of ``predict``; membership is fixed by the order of samples.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    tasks: frozenset[str]
    boxes: ClassVar[BoxConvention] = BoxConvention()
    looks: ClassVar[bool] = True
    reads_reference: ClassVar[bool] = False
    role: ClassVar[Role] = "model"
    batch_size: int = 1

    def prepare(self, context: Context) -> None:  # noqa: B027 - most adapters need no preparation
        """Called once per task before the first query."""

    def lacks(self, task: str) -> str:
        """What keeps this instance from a task that another one of its class can do; empty where nothing is known."""
        return ""

    @abstractmethod
    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        """One prediction a query, in order. Raise only for failures; the engine records them as ``error``."""

    def stream(self, queries: Iterable[Query]) -> Iterator[Prediction] | None:
        """For models that work on many queries at once: one prediction a query, in order, drawing queries ahead as they
        like. The engine then never calls ``predict``, and an exception stops the run, to be resumed; what fails for one
        query alone is that query's ``error``. None, the default, where batches and ``predict`` are wanted.
        """
        return None

    def estimate(self, queries: Iterable[Query]) -> Estimate | None:
        """What answering would take, without asking; after ``prepare``. None where nothing is paid for."""
        return None

    def spent(self) -> str:
        """What was paid since the adapter was made, in a line for the terminal; empty where nothing is."""
        return ""

    def facts(self) -> Mapping[str, Any]:
        """Everything about this model that affects its predictions: options, weights digest, generation settings."""
        return {}

    def recorded(self) -> Mapping[str, Any]:
        """What should be written down without guarding a resume: device, library versions. Asked before and after the
        predictions; entries that have come about by then are added."""
        return {}
